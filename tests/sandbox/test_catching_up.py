"""What a client missed while it was away comes to it once, also when the sandbox was killed meanwhile."""

import asyncio
from typing import Any

import pytest
from telethon import events, functions, types

from tests.sandbox.support import Json, SandboxProcess


async def _write(sandbox: SandboxProcess, person: Json, account: Json, text: str) -> None:
    await sandbox.post(f"/users/{person['id']}/messages", {"to_id": account["id"], "text": text})


def _returning(sandbox: SandboxProcess, session: str, state: Any) -> tuple[Any, "asyncio.Queue[str]"]:
    """An unmodified client that has kept its update state, with what its handler hears."""
    client = sandbox.client(session, catch_up=True, sequential_updates=True)
    client.session.set_update_state(0, state)
    heard: asyncio.Queue[str] = asyncio.Queue()

    async def hear(event: Any) -> None:
        await heard.put(event.text)

    client.add_event_handler(hear, events.NewMessage(incoming=True))
    return client, heard


@pytest.mark.parametrize("missed", [1, 1200])
async def test_a_client_that_returns_gets_each_missed_message_once(sandbox: SandboxProcess, missed: int) -> None:
    person = await sandbox.person(username="ann")
    account = await sandbox.person(username="account")
    session = await sandbox.session_of(account)
    async with sandbox.connected(session) as client:
        await _write(sandbox, person, account, "before")
        state = await client(functions.updates.GetStateRequest())
    for number in range(missed):
        await _write(sandbox, person, account, str(number))
        if number == missed // 2:
            await sandbox.kill()
            await sandbox.start()
    client, heard = _returning(sandbox, session, state)
    try:
        await client.connect()
        texts = [await asyncio.wait_for(heard.get(), 10) for _ in range(missed)]
        assert texts == [str(number) for number in range(missed)]
        await _write(sandbox, person, account, "live")
        assert await asyncio.wait_for(heard.get(), 10) == "live"
        await client.catch_up()
        await _write(sandbox, person, account, "last")
        assert await asyncio.wait_for(heard.get(), 10) == "last"
    finally:
        await client.disconnect()
    assert heard.empty()


async def test_a_difference_tells_everything_in_order_and_always_advances(sandbox: SandboxProcess) -> None:
    await sandbox.person(username="ann", reply={"text": "yes"}, reads_after_seconds=0)
    async with sandbox.account() as client:
        begun = await client(functions.updates.GetStateRequest())
        for number in range(260):
            await client.send_message("ann", str(number))
        async with asyncio.timeout(10):
            while len(await sandbox.get("/messages", limit=1000)) < 520:  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.05)
        pts, messages, reads, slices = begun.pts, [], [], 0
        while True:
            answer = await client(functions.updates.GetDifferenceRequest(pts, begun.date, 0))
            if isinstance(answer, types.updates.DifferenceEmpty):
                break
            state = getattr(answer, "intermediate_state", None) or answer.state
            assert state.pts > pts
            pts, slices = state.pts, slices + 1
            messages += answer.new_messages
            reads += [update.max_id for update in answer.other_updates]
        assert pts == (await client(functions.updates.GetStateRequest())).pts
    assert slices > 1
    assert [message.id for message in messages] == list(range(1, 521))
    assert sum(bool(message.out) for message in messages) == 260
    assert reads == sorted(set(reads))
    last_sent = max(message.id for message in messages if message.out)
    assert reads[-1] == last_sent
