"""What the sandbox tolerates when it is told to tolerate less."""

import asyncio
from typing import Any

import pytest
from telethon import errors, functions

from tests.sandbox.support import SandboxProcess


def _send(client: Any, peer: Any, text: str = "hello") -> Any:
    client._flood_waited_requests.clear()  # Telethon would raise by itself and send nothing
    return client(functions.messages.SendMessageRequest(peer, text))


async def test_too_many_in_a_second_must_wait(sandbox: SandboxProcess) -> None:
    await sandbox.put("/limits", messages_per_second=3)
    async with sandbox.account() as client:
        for _ in range(3):
            await _send(client, "me")
        with pytest.raises(errors.FloodWaitError) as raised:
            await _send(client, "me")
        assert raised.value.seconds == 1
        assert await sandbox.put("/limits", messages_per_second=None) == {
            "messages_per_second": None,
            "per_chat_seconds": None,
            "new_account_hourly": None,
        }
        await _send(client, "me")


async def test_one_chat_must_wait_and_another_need_not(sandbox: SandboxProcess) -> None:
    await sandbox.person(username="one")
    await sandbox.person(username="two")
    await sandbox.put("/limits", per_chat_seconds=30)
    async with sandbox.account() as client:
        await _send(client, "one")
        with pytest.raises(errors.FloodWaitError) as raised:
            await _send(client, "one")
        assert raised.value.seconds in (29, 30)
        await _send(client, "two")


async def test_a_new_account_may_write_to_few_strangers(sandbox: SandboxProcess) -> None:
    people = [await sandbox.person(username=name) for name in ("first", "second", "third")]
    await sandbox.put("/limits", new_account_hourly=2)
    async with sandbox.account() as client:
        await _send(client, "first")
        await _send(client, "second")
        with pytest.raises(errors.PeerFloodError):
            await _send(client, "third")
        body = {"to_id": client.profile["id"], "text": "write to me"}
        await sandbox.post(f"/users/{people[2]['id']}/messages", body)
        await _send(client, "third")


async def test_who_does_not_wait_as_told_is_told_again(sandbox: SandboxProcess) -> None:
    await sandbox.put("/limits", messages_per_second=2)
    async with sandbox.account() as client:
        for _ in range(2):
            await _send(client, "me")
        started = asyncio.get_running_loop().time()
        refused = 0
        while True:
            try:
                await _send(client, "me")
                break
            except errors.FloodWaitError:
                refused += 1
        assert refused > 1
        # The wait was told when the first of them was refused, so it ends a second after that and not sooner.
        assert asyncio.get_running_loop().time() - started >= 0.98


async def test_only_strangers_count_for_a_new_account(sandbox: SandboxProcess) -> None:
    people = [await sandbox.person(username=name) for name in ("friend", "stranger", "another")]
    await sandbox.put("/limits", new_account_hourly=1)
    async with sandbox.account() as client:
        body = {"to_id": client.profile["id"], "text": "hello"}
        await sandbox.post(f"/users/{people[0]['id']}/messages", body)
        for _ in range(3):
            await _send(client, "friend")
        await _send(client, "stranger")
        await sandbox.kill()
        await sandbox.start()
        with pytest.raises(errors.PeerFloodError):
            await _send(client, "another")
        await _send(client, "friend")
