"""A send with the list of its people, as an ASGI response: sent as it is read, so that a million do not fill memory.

Where it can not be read on, or the client does not take it, the connection ends in the middle of the JSON: nobody takes
such a list for the whole.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from typing import Any

import orjson
import structlog
from fastapi import Response
from starlette.types import Receive, Scope, Send

from relaygram_api.adapters.pg_workspace import is_transient
from relaygram_api.client_connection import client_left, cut, notice_vanishing, transport_of
from relaygram_common.tasks import cancel_and_wait

log = structlog.get_logger(__name__)


class SendListResponse(Response):
    """`{"ok": true, "data": {…, "destinations": […]}}`. `send_seconds`: so long a client may stand still."""

    media_type = "application/json"

    def __init__(
        self, shown: Mapping[str, Any], first: list[str], parts: AsyncIterator[list[str]], *, send_seconds: float
    ) -> None:
        super().__init__()
        del self.headers["content-length"]
        self._shown = shown
        self._first = first
        self._parts = parts
        self._send_seconds = send_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send all of it."""
        connection = transport_of(scope)
        notice_vanishing(connection)
        telling = asyncio.create_task(self._tell(send), name="send-list")
        leaving = asyncio.create_task(client_left(receive), name="send-list-client")
        try:
            await asyncio.wait((telling, leaving), return_when=asyncio.FIRST_COMPLETED)
        finally:
            await cancel_and_wait([telling, leaving])
        error = None if telling.cancelled() else telling.exception()
        if error is None:
            return
        if connection is None or not (isinstance(error, TimeoutError) or is_transient(error)):
            raise error
        log.warning("send_list.broken", send_id=self._shown["_id"], error=str(error) or type(error).__name__)
        await cut(connection)

    async def _tell(self, send: Send) -> None:
        await self._send(send, {"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        # The list is the last field: everything in front of it as JSON is, without what closes it.
        head = orjson.dumps({"ok": True, "data": {**self._shown, "destinations": []}})
        await self._body(send, head.removesuffix(b"]}}") + _items(self._first))
        is_first = not self._first
        async with aclosing(self._parts) as parts:  # type: ignore[type-var]  # an async generator
            async for part in parts:
                if part:
                    await self._body(send, (b"" if is_first else b",") + _items(part))
                    is_first = False
        await self._body(send, b"]}}")
        await self._send(send, {"type": "http.response.body", "body": b"", "more_body": False})

    async def _body(self, send: Send, body: bytes) -> None:
        await self._send(send, {"type": "http.response.body", "body": body, "more_body": True})

    async def _send(self, send: Send, message: dict[str, Any]) -> None:
        async with asyncio.timeout(self._send_seconds):
            await send(message)


def _items(people: list[str]) -> bytes:
    return orjson.dumps(people)[1:-1]
