"""What rests sealed opens with its key and for its owner, and not otherwise."""

import pytest

from relaygram_common.security.sealing import Sealer, SealError, new_key

_OLD, _NEW = new_key("2026-01"), new_key("2026-11")


def test_it_opens_what_it_sealed_and_seals_never_twice_alike() -> None:
    sealer = Sealer(_OLD)
    one, other = (
        sealer.seal("+4915112345678", owner="contact-phone:7"),
        sealer.seal("+4915112345678", owner="contact-phone:7"),
    )
    assert one != other
    assert b"4915112345678" not in one
    assert sealer.open(one, owner="contact-phone:7") == "+4915112345678"
    assert sealer.open(sealer.seal("", owner="x"), owner="x") == ""


@pytest.mark.parametrize("kept", [0, 3, 20, -1])
def test_what_was_cut_does_not_open(kept: int) -> None:
    sealer = Sealer(_OLD)
    with pytest.raises(SealError):
        sealer.open(sealer.seal("secret", owner="session:1")[:kept], owner="session:1")


def test_what_was_changed_does_not_open() -> None:
    sealer = Sealer(_OLD)
    sealed = sealer.seal("secret", owner="session:1")
    for place in range(len(sealed)):
        with pytest.raises(SealError):
            sealer.open(sealed[:place] + bytes([sealed[place] ^ 1]) + sealed[place + 1 :], owner="session:1")


def test_a_value_moved_to_another_owner_does_not_open() -> None:
    sealer = Sealer(_OLD)
    with pytest.raises(SealError):
        sealer.open(sealer.seal("secret", owner="session:1"), owner="session:2")


def test_keys_are_rotated_without_a_stop() -> None:
    before, during, after = Sealer(_OLD), Sealer(f"{_NEW},{_OLD}"), Sealer(_NEW)
    old = before.seal("secret", owner="x")
    assert during.open(old, owner="x") == "secret"
    renewed = during.seal("secret", owner="x")
    assert after.open(renewed, owner="x") == "secret"
    with pytest.raises(SealError, match="2026-01"):
        after.open(old, owner="x")
    assert before.fingerprint("+49151") == during.fingerprint("+49151") != after.fingerprint("+49151")


@pytest.mark.parametrize("keys", ["", " , ", "name", "name:short", ":QUJD", "name:" + "A" * 43, "ü:" + "A" * 43 + "="])
def test_keys_that_are_none_are_refused_without_being_told(keys: str) -> None:
    with pytest.raises(ValueError, match="RELAYGRAM_SECRET_KEYS") as refused:
        Sealer(keys)
    assert "QUJD" not in str(refused.value)
