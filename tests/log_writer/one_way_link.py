"""A TCP link whose way to the server can be held: what the client sends then arrives nowhere, what it is sent does."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from relaygram_common.tasks import cancel_and_wait


class OneWayLink:
    """Between a client and the server at `url`."""

    def __init__(self, url: str) -> None:
        self._server = urlsplit(url)
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_held = False
        self.url = ""

    def hold(self) -> None:
        """From now on nothing reaches the server."""
        self._is_held = True

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One client."""
        there_reader, there_writer = await asyncio.open_connection(self._server.hostname, self._server.port)
        ways = [
            asyncio.create_task(self._pipe(reader, there_writer, may_hold=True)),
            asyncio.create_task(self._pipe(there_reader, writer, may_hold=False)),
        ]
        self._tasks.update(ways)
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        await cancel_and_wait(ways)
        for end in (writer, there_writer):
            end.close()

    async def _pipe(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, may_hold: bool) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                if not (may_hold and self._is_held):
                    writer.write(data)
                    await writer.drain()

    async def close(self) -> None:
        """Cut all connections."""
        await cancel_and_wait(list(self._tasks))


@asynccontextmanager
async def one_way_link(url: str) -> AsyncIterator[OneWayLink]:
    """A link on a free port."""
    link = OneWayLink(url)
    server = await asyncio.start_server(link.serve, "127.0.0.1", 0)
    link.url = f"nats://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield link
    finally:
        server.close()
        await link.close()
