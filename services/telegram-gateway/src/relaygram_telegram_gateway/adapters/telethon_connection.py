"""The one place where bytes leave for Telegram. It sends only while the account's lease is surely ours.

Whoever was stopped (SIGSTOP, a long pause, a lost network) and comes back finds its deadline passed before it can
write, and its connection is aborted rather than closed: closing would flush what is still buffered.
"""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable
from typing import Any

from python_socks import ProxyError
from telethon.network.connection import ConnectionTcpAbridged
from telethon.network.connection.connection import Connection

# close() then discards what the kernel has not sent yet, and resets the connection.
_LINGER_NOT = struct.pack("ii", 1, 0)


class LeaseLostError(ConnectionError):
    """The lease has passed its deadline: another gateway may run this account."""


class Fence:
    """Says whether bytes may leave, aborts, and tells when the connection was last alive."""

    def __init__(self, lease_is_valid: Callable[[], bool]) -> None:
        self._lease_is_valid = lease_is_valid
        self._connection: Any = None
        self.last_heard_at = 0.0  # event loop's clock
        self.proxy_problem: str | None = None  # why the proxy let nothing through, at the last try
        self.ended = asyncio.Event()

    def demand(self) -> None:
        """Raises LeaseLostError, after aborting, when nothing may leave any more."""
        if not self._lease_is_valid():
            self.abort()
            raise LeaseLostError("the account's lease has run out")

    def attach(self, connection: Any) -> None:
        """This is the connection to abort."""
        self._connection = connection
        self.ended.clear()

    def heard(self) -> None:
        """Something arrived."""
        self.last_heard_at = asyncio.get_running_loop().time()

    def abort(self) -> None:
        """Cut the connection now; nothing buffered is sent."""
        writer = getattr(self._connection, "_writer", None)
        if writer is not None:
            with contextlib.suppress(OSError, RuntimeError):
                writer.transport.abort()
        self.ended.set()


def fenced_connection(fence: Fence) -> type[Connection]:
    """A connection class for one client: Telethon wants a class, not an object."""

    class FencedConnection(ConnectionTcpAbridged):  # type: ignore[misc]  # Telethon ships no types
        async def _connect(self, timeout: float | None = None, ssl: Any = None) -> None:
            fence.demand()
            fence.attach(self)
            fence.proxy_problem = None
            try:
                await super()._connect(timeout=timeout, ssl=ssl)
            except (OSError, ProxyError) as error:
                if not self._proxy:
                    raise
                # Telethon tries again and then tells only that it failed.
                fence.proxy_problem = str(error) or type(error).__name__
                raise ConnectionError(fence.proxy_problem) from error

        def _init_conn(self) -> None:
            # Connecting took time.
            fence.demand()
            sock = self._writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
            super()._init_conn()

        def _send(self, data: bytes) -> None:
            fence.demand()
            super()._send(data)

        async def _recv(self) -> Any:
            data = await super()._recv()
            fence.heard()
            return data

        async def disconnect(self) -> None:
            fence.abort()
            await super().disconnect()

    return FencedConnection
