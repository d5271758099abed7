"""A real proxy for tests: SOCKS5 with user and password (RFC 1928, 1929) and HTTP CONNECT, on one port."""

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from relaygram_common.tasks import cancel_and_wait


class Proxy:
    """Lets through who knows the password; remembers where to."""

    def __init__(self, username: str, password: str) -> None:
        self.username = username
        self.password = password
        self.port = 0
        self.destinations: list[tuple[str, int]] = []
        self.refused = 0
        self._open: set[asyncio.Task[None]] = set()

    def url(self, scheme: str, *, password: str | None = None) -> str:
        """As an account is given it."""
        return f"{scheme}://{self.username}:{password or self.password}@127.0.0.1:{self.port}"

    @property
    def in_use(self) -> int:
        """Connections through it at this moment."""
        return len(self._open)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One client."""
        task = asyncio.current_task()
        assert task is not None
        with contextlib.suppress(OSError, EOFError, asyncio.CancelledError):
            first = await reader.readexactly(1)
            target = await (self._socks(reader, writer) if first == b"\x05" else self._connect(reader, writer))
            if target is None:
                self.refused += 1
            else:
                self.destinations.append(target)
                self._open.add(task)
                try:
                    await _pipe_both(reader, writer, *target)
                finally:
                    self._open.discard(task)
        writer.close()

    async def _socks(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> tuple[str, int] | None:
        await reader.readexactly((await reader.readexactly(1))[0])
        writer.write(b"\x05\x02")
        await reader.readexactly(1)
        name = await reader.readexactly((await reader.readexactly(1))[0])
        password = await reader.readexactly((await reader.readexactly(1))[0])
        is_known = (name.decode(), password.decode()) == (self.username, self.password)
        writer.write(b"\x01\x00" if is_known else b"\x01\x01")
        if not is_known:
            return None
        _, _, _, kind = await reader.readexactly(4)
        assert kind == 1, "only IPv4 here"
        host = ".".join(str(part) for part in await reader.readexactly(4))
        port = int.from_bytes(await reader.readexactly(2), "big")
        writer.write(b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00")
        return host, port

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> tuple[str, int] | None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        known = base64.b64encode(f"{self.username}:{self.password}".encode()).decode()
        if f"Basic {known}" not in head:
            writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
            return None
        host, _, port = head.split()[1].rpartition(":")
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        return host, int(port)

    async def close(self) -> None:
        """Cut all connections."""
        await cancel_and_wait(list(self._open))


async def _pipe_both(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, port: int) -> None:
    there_reader, there_writer = await asyncio.open_connection(host, port)
    ways = [
        asyncio.create_task(_pipe(reader, there_writer)),
        asyncio.create_task(_pipe(there_reader, writer)),
    ]
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await cancel_and_wait(ways)
        there_writer.close()


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()


@asynccontextmanager
async def running_proxy(username: str = "jane", password: str = "hunter2") -> AsyncIterator[Proxy]:  # noqa: S107 - nobody's
    """A proxy on a free port."""
    proxy = Proxy(username, password)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        await proxy.close()
