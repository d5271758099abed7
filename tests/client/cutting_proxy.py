"""A proxy between the client and the api that cuts each connection after so many bytes of the answer."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from relaygram_common.tasks import cancel_and_wait


@dataclass
class CuttingProxy:
    """`budgets` gives the bytes of each connection's answer; when there are no more, it lets all through."""

    target_port: int
    budgets: Iterator[int]
    url: str = ""
    connections: int = 0
    cuts: int = 0
    _open: set["asyncio.Task[None]"] = field(default_factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            await self._pass_on(reader, writer)
        except (OSError, asyncio.CancelledError):
            writer.transport.abort()
        finally:
            self._open.discard(task)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self.target_port)
        asking = asyncio.create_task(_pipe(reader, there_writer))
        try:
            await self._answer(there_reader, writer, next(self.budgets, None))
        finally:
            await cancel_and_wait([asking])
            there_writer.transport.abort()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, budget: int | None) -> None:
        while data := await reader.read(65536 if budget is None else min(budget, 65536)):
            writer.write(data)
            await writer.drain()
            if budget is not None:
                budget -= len(data)
                if budget <= 0:
                    self.cuts += 1
                    break
        writer.close()

    async def cut_all(self) -> None:
        """Every connection there is."""
        await cancel_and_wait(list(self._open))


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()


@asynccontextmanager
async def cutting(target_port: int, budgets: Iterator[int]) -> AsyncIterator[CuttingProxy]:
    """A proxy on a free port."""
    proxy = CuttingProxy(target_port, budgets)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield proxy
    finally:
        server.close()
        await proxy.cut_all()
