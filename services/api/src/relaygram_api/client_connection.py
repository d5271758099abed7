"""The connection that an answer goes over, for long answers: ASGI has no word for cutting somebody off."""

import asyncio
import socket
from typing import Final

from starlette.types import Receive, Scope

# A client that has vanished without a word is known by then to have.
_VANISHED_SECONDS: Final = 30


def transport_of(scope: Scope) -> asyncio.Transport | None:
    """The connection, if the server tells it (relaygram_common.bounded_http)."""
    transport: asyncio.Transport | None = scope.get("extensions", {}).get("relaygram.connection", {}).get("transport")
    return transport


def notice_vanishing(connection: asyncio.Transport | None) -> None:
    """Let the system give up on what nobody acknowledges: it would try for a quarter of an hour."""
    if connection is not None and hasattr(socket, "TCP_USER_TIMEOUT"):
        known = connection.get_extra_info("socket")
        known.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _VANISHED_SECONDS * 1000)


async def cut(connection: asyncio.Transport) -> None:
    """End it now, whatever is still to be sent: the client sees a transfer that broke off."""
    connection.abort()
    await asyncio.sleep(0)  # the server hears of it first, and then does not miss the end of the answer


async def client_left(receive: Receive) -> None:
    """Wait until the client has hung up."""
    while (await receive())["type"] != "http.disconnect":
        continue
