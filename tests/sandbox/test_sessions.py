"""One auth key, several connections: two clients are caught, a client's own reconnect is not."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from telethon import errors, functions

from tests.sandbox.support import SandboxProcess


class Wire:
    """A TCP connection that can be held: what a client has sent arrives late or never."""

    def __init__(self, sandbox: SandboxProcess) -> None:
        self._sandbox = sandbox
        self._flows = asyncio.Event()
        self._flows.set()
        self.has_held = asyncio.Event()
        self.has_delivered = asyncio.Event()
        self.port = 0

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator["Wire"]:
        """Listen as long as the context lives."""
        server = await asyncio.start_server(self._relay, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()

    def hold(self) -> None:
        """Keep back what the client sends."""
        self._flows.clear()

    def release(self) -> None:
        """Deliver what was kept back."""
        self._flows.set()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self._sandbox.mtproto_port)
        down = asyncio.create_task(self._pipe_down(up_reader, writer))
        while data := await reader.read(65536):
            if not self._flows.is_set():
                self.has_held.set()
                await self._flows.wait()
                self.has_delivered.set()
            up_writer.write(data)
        up_writer.close()
        await asyncio.gather(down, return_exceptions=True)
        writer.close()

    @staticmethod
    async def _pipe_down(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                writer.write(data)


def _ask(client: Any) -> Any:
    return client(functions.updates.GetStateRequest())


def _note(client: Any, text: str) -> Any:
    return client(functions.messages.SendMessageRequest("me", text))


async def test_a_second_client_takes_over_and_the_first_one_costs_both_the_key(
    sandbox: SandboxProcess,
) -> None:
    session = await sandbox.session_of(await sandbox.person())
    async with sandbox.connected(session) as first, sandbox.connected(session) as second:
        await _note(second, "mine now")
        with pytest.raises(errors.AuthKeyDuplicatedError):
            await _note(first, "no, mine")
        with pytest.raises(errors.AuthKeyDuplicatedError):
            await _note(second, "too late")
    assert [row["text"] for row in await sandbox.get("/messages")] == ["mine now"]
    with pytest.raises(errors.AuthKeyDuplicatedError):
        async with sandbox.connected(session):
            pass


async def test_two_clients_are_let_be_when_sessions_are_not_strict(sandbox: SandboxProcess) -> None:
    await sandbox.put("/settings", strict_sessions=False)
    session = await sandbox.session_of(await sandbox.person())
    async with sandbox.connected(session) as first, sandbox.connected(session) as second:
        for client in (second, first, second, first):
            await _ask(client)


async def test_a_client_that_was_only_left_behind_does_no_harm(sandbox: SandboxProcess) -> None:
    session = await sandbox.session_of(await sandbox.person())
    async with sandbox.connected(session) as stopped:
        for _ in range(3):
            async with sandbox.connected(session) as client:
                await _note(client, "going on")
        assert stopped.is_connected()
        async with sandbox.connected(session) as client:
            await _note(client, "and on")


async def test_a_cut_connection_and_its_reconnect_are_one_client(sandbox: SandboxProcess) -> None:
    async with sandbox.account() as client:
        await sandbox.post("/faults", {"name": "cut", "action": {"drop": "after"}, "after": 1, "times": 5})
        await sandbox.put("/settings", random_id_policy="replay")
        for number in range(10):
            await _note(client, str(number))
    assert [row["text"] for row in await sandbox.get("/messages")] == [str(number) for number in range(10)]


async def test_bytes_of_a_dead_connection_that_arrive_late_do_no_harm(sandbox: SandboxProcess) -> None:
    session = await sandbox.session_of(await sandbox.person())
    async with Wire(sandbox).open() as wire:
        old = sandbox.client(session, auto_reconnect=False)
        old.session.set_dc(2, "127.0.0.1", wire.port)
        await old.connect()
        await _ask(old)
        wire.hold()
        sending = asyncio.create_task(_note(old, "written before the take-over"))
        await asyncio.wait_for(wire.has_held.wait(), 5)
        async with sandbox.connected(session) as new:
            await _note(new, "written after it")
            wire.release()
            assert (await asyncio.wait_for(sending, 5)).id == 2
            await _note(new, "and the key is alive")
            with pytest.raises(errors.AuthKeyDuplicatedError):
                await _note(old, "but this is a second client")
        await old.disconnect()


async def test_the_older_connection_may_ping(sandbox: SandboxProcess) -> None:
    session = await sandbox.session_of(await sandbox.person())
    async with sandbox.connected(session) as first, sandbox.connected(session) as second:
        await asyncio.wait_for(first(functions.PingRequest(7)), 5)
        await _note(second, "still alive")
