"""Transports and arithmetic without a network: any cut of the bytes, any garbage."""

import contextlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relaygram_sandbox.protocol.framing import (
    AbridgedFraming,
    Framing,
    FullFraming,
    IntermediateFraming,
    ProtocolViolationError,
    Transport,
)
from relaygram_sandbox.protocol.keys import AuthKey
from relaygram_sandbox.world.statistics import Pace

PREFIXES: dict[bytes, Callable[[], Framing]] = {
    b"": FullFraming,
    b"\xef": AbridgedFraming,
    b"\xee" * 4: lambda: IntermediateFraming(padded=False),
    b"\xdd" * 4: lambda: IntermediateFraming(padded=True),
}
PAYLOADS = st.lists(st.binary(min_size=1, max_size=300).map(lambda data: data * 4), min_size=1, max_size=4)


@pytest.mark.parametrize("prefix", PREFIXES)
@given(payloads=PAYLOADS, step=st.integers(1, 700))
def test_payloads_survive_any_cut_of_the_stream(prefix: bytes, payloads: list[bytes], step: int) -> None:
    client, server = PREFIXES[prefix](), Transport()
    stream = prefix + b"".join(client.frame(payload) for payload in payloads)
    received = []
    for start in range(0, len(stream), step):
        received += list(server.receive(stream[start : start + step]))
    assert received == payloads


@given(garbage=st.binary(max_size=2000))
def test_garbage_is_refused_or_waited_on_but_never_crashes(garbage: bytes) -> None:
    transport = Transport()
    with contextlib.suppress(ProtocolViolationError):
        for payload in transport.receive(garbage):
            assert 0 < len(payload) < len(garbage)


def test_a_wrong_checksum_and_a_huge_length_are_refused() -> None:
    packet = bytearray(FullFraming().frame(b"1234"))
    packet[-1] ^= 1
    with pytest.raises(ProtocolViolationError):
        list(Transport().receive(bytes(packet)))
    with pytest.raises(ProtocolViolationError):
        list(Transport().receive(b"\xee" * 4 + b"\xff\xff\xff\x7f"))


@given(steps=st.lists(st.floats(0, 2), max_size=60))
def test_the_fastest_second_is_the_one_found_by_looking_at_all(steps: list[float]) -> None:
    pace, arrivals, at = Pace(), [], 1000.0
    for step in steps:
        at += step
        arrivals.append(at)
        pace.add(at)
    windows = (sum(end - 1.0 < other <= end for other in arrivals) for end in arrivals)
    assert pace.max_in_one_second == max(windows, default=0)
    assert pace.max_in_one_hour == len(arrivals)


@pytest.mark.parametrize(
    ("requests", "expected"),
    [
        ("A1 A2 A3", [False] * 3),
        ("A1 B2 B3", [False] * 3),
        ("A1 B2 A3", [False, False, True]),
        ("A2 B3 A1", [False, False, False]),
        ("A1 B2 C3 A4", [False, False, False, True]),
        ("A1 B2 C3 B4", [False, False, False, True]),
    ],
    ids=[
        "one connection",
        "reconnect",
        "second client",
        "late bytes",
        "third connection, first speaks",
        "third connection, second speaks",
    ],
)
def test_who_uses_a_key_twice(requests: str, expected: list[bool]) -> None:
    key, known, found = AuthKey(b"\1" * 256), set(), []
    for request in requests.split():
        connection, message_id = request[0], int(request[1])
        found.append(key.is_used_twice(connection, message_id, connection in known))
        known.add(connection)
    assert found == expected
