"""The connection that an answer goes over, for long answers: ASGI has no word for cutting somebody off."""

import asyncio
import socket
import struct
from typing import Final

from starlette.types import Receive, Scope

# A client that has vanished without a word is known by then to have.
_VANISHED_SECONDS: Final = 30
_SEND_BYTES: Final = 128 * 1024  # Linux doubles it
_DISCARD: Final = struct.pack("ii", 1, 0)  # linger for no time


def transport_of(scope: Scope) -> asyncio.Transport | None:
    """The connection, if the server tells it (relaygram_common.bounded_http)."""
    transport: asyncio.Transport | None = scope.get("extensions", {}).get("relaygram.connection", {}).get("transport")
    return transport


def notice_vanishing(connection: asyncio.Transport | None) -> None:
    """Let the system give up on what nobody acknowledges: it would try for a quarter of an hour."""
    if connection is not None and hasattr(socket, "TCP_USER_TIMEOUT"):
        known = connection.get_extra_info("socket")
        known.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _VANISHED_SECONDS * 1000)


def keep_little(connection: asyncio.Transport | None) -> None:
    """Let the system hold little of what the client has not taken: by itself it goes up to megabytes."""
    if connection is not None:
        connection.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BYTES)


async def cut(connection: asyncio.Transport) -> None:
    """End it now, whatever is still to be sent: the client sees a transfer that broke off."""
    if not connection.is_closing():
        # Else the system would keep what was handed to it until the client takes it.
        connection.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _DISCARD)
    connection.abort()
    await asyncio.sleep(0)  # the server hears of it first, and then does not miss the end of the answer


async def client_left(receive: Receive) -> None:
    """Wait until the client has hung up."""
    while (await receive())["type"] != "http.disconnect":
        continue
