"""Faults on order: each kind, and which requests they hit."""

import asyncio
import contextlib
import time
from typing import Any

import pytest
from telethon import errors, functions

from tests.sandbox.support import Json, SandboxProcess


def _send(client: Any, text: str, peer: Any = None) -> Any:
    return client(functions.messages.SendMessageRequest(peer or client.peer, text))


@contextlib.asynccontextmanager
async def _writer(sandbox: SandboxProcess, **fields: Any) -> Any:
    reader = await sandbox.person(username="reader")
    async with sandbox.account(**fields) as client:
        client.reader = reader
        client.peer = await client.get_input_entity("reader")
        yield client


async def _fault(sandbox: SandboxProcess, action: Json, **rule: Any) -> None:
    body = {"name": "test", "method": "messages.sendMessage", "action": action, **rule}
    await sandbox.post("/faults", body)


async def _outcomes(sandbox: SandboxProcess) -> list[str]:
    rows = await sandbox.get("/wire", limit=10_000)
    return [row["outcome"] for row in rows if row["method"] == "messages.sendMessage"]


async def test_an_error_hits_after_some_and_for_a_few(sandbox: SandboxProcess) -> None:
    async with _writer(sandbox) as client:
        await _fault(sandbox, {"error": "PEER_FLOOD"}, after=1, times=2)
        await _send(client, "passes")
        for _ in range(2):
            with pytest.raises(errors.PeerFloodError):
                await _send(client, "is refused")
        await _send(client, "passes again")
    assert await _outcomes(sandbox) == ["accepted", "error", "error", "accepted"]
    (rule,) = await sandbox.get("/faults")
    assert (rule["matched"], rule["fired"]) == (3, 2)
    assert (await sandbox.get("/stats"))["refused"] == {"PEER_FLOOD": 2}


@pytest.mark.parametrize(
    ("name", "kind", "code"),
    [
        ("FLOOD_WAIT_7", errors.FloodWaitError, 420),
        ("SLOWMODE_WAIT_3", errors.SlowModeWaitError, 420),
        ("CHAT_WRITE_FORBIDDEN", errors.ChatWriteForbiddenError, 403),
        ("ALLOW_PAYMENT_REQUIRED_5", errors.ForbiddenError, 403),
        ("A_NEW_ERROR", errors.BadRequestError, 400),
    ],
)
async def test_errors_come_with_telegrams_code(
    sandbox: SandboxProcess, name: str, kind: type[errors.RPCError], code: int
) -> None:
    async with _writer(sandbox) as client:
        await _fault(sandbox, {"error": name})
        with pytest.raises(kind) as raised:
            await _send(client, "hello")
        assert raised.value.code == code
        assert getattr(raised.value, "seconds", None) in (None, 7, 3)


async def test_a_drop_before_accepting_is_resent_and_accepted_once(sandbox: SandboxProcess) -> None:
    async with _writer(sandbox) as client:
        await _fault(sandbox, {"drop": "before"}, times=2)
        await _send(client, "persistent")
    assert await _outcomes(sandbox) == ["dropped_before", "dropped_before", "accepted"]
    assert len(await sandbox.get("/messages")) == 1


async def test_a_drop_after_accepting_leaves_one_message(sandbox: SandboxProcess) -> None:
    async with _writer(sandbox) as client:
        await _fault(sandbox, {"drop": "after"}, times=1)
        with pytest.raises(errors.RandomIdDuplicateError):
            await _send(client, "once")
    assert await _outcomes(sandbox) == ["dropped_after", "duplicate"]
    assert len(await sandbox.get("/messages")) == 1


async def test_a_drop_amid_many_loses_and_doubles_nothing(sandbox: SandboxProcess) -> None:
    await sandbox.put("/settings", random_id_policy="replay")
    async with _writer(sandbox) as client:
        await _fault(sandbox, {"drop": "after"}, after=5, times=3)
        results = await asyncio.gather(*(_send(client, f"message {number}") for number in range(40)))
        assert len({result.id for result in results}) == 40
    assert sorted(row["text"] for row in await sandbox.get("/messages")) == sorted(
        f"message {number}" for number in range(40)
    )


async def test_a_delayed_answer_comes_late_but_its_message_is_accepted_at_once(
    sandbox: SandboxProcess,
) -> None:
    async with _writer(sandbox) as client:
        await _fault(sandbox, {"delay_seconds": 0.3})
        started = time.monotonic()
        sending = asyncio.create_task(_send(client, "slow"))
        while not await sandbox.get("/messages"):
            assert not sending.done()
        await sending
        assert time.monotonic() - started >= 0.3


async def test_a_silent_request_is_never_answered(sandbox: SandboxProcess) -> None:
    async with _writer(sandbox) as client:
        await _fault(sandbox, {"silent": True}, times=1)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(_send(client, "lost"), 0.2)
        await _send(client, "heard")
    assert [row["text"] for row in await sandbox.get("/messages")] == ["heard"]


async def test_a_revoked_session_is_logged_out(sandbox: SandboxProcess) -> None:
    async with _writer(sandbox) as client:
        await _fault(sandbox, {"revoke_session": True}, times=1)
        with pytest.raises(errors.SessionRevokedError):
            await _send(client, "hello")
        with pytest.raises(errors.AuthKeyUnregisteredError):
            await _send(client, "hello")


async def test_a_fault_hits_only_whom_it_names(sandbox: SandboxProcess) -> None:
    other = await sandbox.person(username="other")
    async with _writer(sandbox) as client, sandbox.account() as bystander:
        await _fault(sandbox, {"error": "PEER_FLOOD"}, peer_id=client.reader["id"])
        with pytest.raises(errors.PeerFloodError):
            await _send(client, "hello")
        await _send(client, "hello", await client.get_input_entity("other"))
        await _fault(sandbox, {"error": "PEER_FLOOD"}, account_id=client.profile["id"])
        await _send(bystander, "hello", await bystander.get_input_entity("reader"))
        with pytest.raises(errors.PeerFloodError):
            await _send(client, "hello")
        body = {"name": "lookup", "peer_id": other["id"], "action": {"error": "USERNAME_NOT_OCCUPIED"}}
        await sandbox.post("/faults", body)
        with pytest.raises(errors.UsernameNotOccupiedError):
            await client(functions.contacts.ResolveUsernameRequest("OTHER"))
        await client(functions.contacts.ResolveUsernameRequest("reader"))


async def test_chance_is_the_same_for_the_same_seed(sandbox: SandboxProcess) -> None:
    runs = []
    for _ in range(2):
        await sandbox.post("/reset")
        async with _writer(sandbox) as client:
            await _fault(sandbox, {"error": "PEER_FLOOD"}, probability=0.5)
            await asyncio.gather(*(_send(client, str(number)) for number in range(60)), return_exceptions=True)
        runs.append(await _outcomes(sandbox))
    assert runs[0] == runs[1]
    assert 10 < runs[0].count("error") < 50


async def test_faults_are_listed_replaced_and_removed(sandbox: SandboxProcess) -> None:
    for name in ("one", "two", "one"):
        await sandbox.post("/faults", {"name": name, "action": {"delay_seconds": 0}, "times": 3})
    assert [rule["name"] for rule in await sandbox.get("/faults")] == ["two", "one"]
    await sandbox.request("DELETE", "/faults/two")
    assert (await sandbox.control.delete("/faults/two")).status_code == 404
    await sandbox.request("DELETE", "/faults")
    assert await sandbox.get("/faults") == []
