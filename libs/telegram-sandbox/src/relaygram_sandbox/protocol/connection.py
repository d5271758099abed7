"""One TCP connection of a client."""

import asyncio
import logging
import socket
import struct
from typing import TYPE_CHECKING, cast

from relaygram_sandbox import clock
from relaygram_sandbox.protocol.framing import ProtocolViolationError, Transport
from relaygram_sandbox.protocol.handshake import Handshake
from relaygram_sandbox.protocol.session import Session

if TYPE_CHECKING:
    from relaygram_sandbox.protocol.server import MTProtoServer

log = logging.getLogger(__name__)
# A client that reads nothing (stopped, or gone without a word) is cut off when this much waits for it.
_MAX_UNREAD_BYTES = 32 * 1024 * 1024


class ClientConnection(asyncio.Protocol):
    """Turns bytes into payloads for the server and back; holds what only this connection knows."""

    def __init__(self, server: "MTProtoServer") -> None:
        self._server = server
        self._transport: asyncio.Transport | None = None
        self._framing = Transport()
        self.handshake: Handshake | None = None
        self.keys_used: set[bytes] = set()
        self.sessions: set[Session] = set()
        self.last_heard = clock.now()

    @property
    def is_open(self) -> bool:
        """Whether anything sent now could still arrive."""
        return self._transport is not None and not self._transport.is_closing()

    @property
    def local_address(self) -> tuple[str, int]:
        """Where the client reached the server."""
        name = self._transport.get_extra_info("sockname") if self._transport is not None else ("127.0.0.1", 0)
        return str(name[0]), int(name[1])

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the event loop."""
        self._transport = cast("asyncio.Transport", transport)
        raw_socket = transport.get_extra_info("socket")
        if raw_socket is not None:
            raw_socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._server.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - how it was lost makes no difference
        """Called by the event loop."""
        self._transport = None
        self._server.forget(self)

    def data_received(self, data: bytes) -> None:
        """Called by the event loop."""
        arrived_at = self.last_heard = clock.now()
        try:
            for payload in self._framing.receive(data):
                self._server.receive(self, payload, arrived_at)
                if not self.is_open:
                    return
        except ProtocolViolationError as violation:
            log.info("closing a connection: %s", violation)
            self.cut()

    def pause_writing(self) -> None:
        """The client reads slower than it asks: take no more requests until it has caught up."""
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        """It has caught up."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def send(self, payload: bytes) -> None:
        """Send one payload; silently nothing on a connection that is gone."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if transport.get_write_buffer_size() > _MAX_UNREAD_BYTES:
            log.info("closing a connection whose client does not read")
            self.cut()
            return
        transport.write(self._framing.frame(payload))

    def send_transport_error(self, code: int) -> None:
        """Tell of an error below MTProto, such as -404 for an unknown key."""
        self.send(struct.pack("<i", code))

    def cut(self) -> None:
        """Drop the connection at once, with whatever was not sent yet."""
        if self._transport is not None:
            self._transport.abort()
