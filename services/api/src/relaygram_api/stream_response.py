"""A live stream as an ASGI response: rows as they come, a heartbeat in silence, and no patience with who does not read.

Neither Starlette's StreamingResponse nor sse-starlette can do the last: they wait for a client as long as it likes, or
close the connection politely, which waits for the client as well. What a client does not take is never kept for it:
beside the piece that is on its way there is one page, which other streams share.
"""

import asyncio
import random
from collections.abc import Mapping
from typing import Any, Final

import structlog
from fastapi import Response
from starlette.types import Receive, Scope, Send

from relaygram_api.adapters.pg_workspace import is_transient
from relaygram_api.caller import Caller
from relaygram_api.client_connection import client_left, cut, keep_little, notice_vanishing, transport_of
from relaygram_api.core.event_stream import HEARTBEAT, opening
from relaygram_api.errors import ApiError
from relaygram_api.log_streams import LogStreams
from relaygram_api.settings import ApiSettings
from relaygram_api.stream import NotTakenError, Stream
from relaygram_common.tasks import cancel_and_wait

log = structlog.get_logger(__name__)

_LOOK_AGAIN_SECONDS: Final = 1.0


class StreamResponse(Response):
    """The log of one campaign after a revision."""

    media_type = "text/event-stream"

    def __init__(
        self,
        streams: LogStreams,
        settings: ApiSettings,
        caller: Caller,
        campaign_id: int,
        *,
        after: int,
        headers: Mapping[str, str],
    ) -> None:
        # X-Accel-Buffering: nginx would collect some kilobytes first.
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no", **headers})
        del self.headers["content-length"]
        self._streams = streams
        self._settings = settings
        self._caller = caller
        self._campaign_id = campaign_id
        self._after = after

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Stream until it ends, whoever ends it. Raises ApiError when there are too many."""
        with self._streams.opened(self._caller, self._campaign_id, after=self._after) as stream:
            connection = transport_of(scope)
            notice_vanishing(connection)
            keep_little(connection)
            life = self._settings.stream_max_seconds * (0.9 + 0.1 * random.random())  # noqa: S311 - not all at once
            age = asyncio.get_running_loop().call_later(life, stream.end, "age")
            hang_up = asyncio.create_task(_end_with_client(stream, receive), name="stream-client")
            try:
                await self._tell(stream, scope, send)
            except NotTakenError:
                stream.end("slow")
                if connection is not None:
                    await cut(connection)
            finally:
                age.cancel()
                await cancel_and_wait([hang_up])
            log.info("stream.ended", campaign_id=stream.campaign_id, why=stream.why_ended)

    async def _tell(self, stream: Stream, scope: Scope, send: Send) -> None:
        head = {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
        await self._send(stream, send, head)
        scope["state"]["exchange"].observe()  # its answer is here; how long it goes on is no matter of speed
        await self._send(stream, send, _body(opening(stream.after)))
        while stream.why_ended is None:
            is_behind = await self._tell_page(stream, send)
            while not is_behind and not await stream.something(self._settings.stream_heartbeat_seconds):
                await self._send(stream, send, _body(HEARTBEAT))
        if stream.why_ended != "left":
            await self._send(stream, send, {"type": "http.response.body", "body": b"", "more_body": False})

    async def _tell_page(self, stream: Stream, send: Send) -> bool:
        """Whether there may be more already."""
        stream.looks()
        try:
            page = await self._streams.next_page(stream)
        except Exception as error:
            if not is_transient(error):
                raise
            # The client may as well wait here as elsewhere: browsers do not come back after a 503, and its place is
            # known. Who looks after the streams logs it.
            stream.wake_in(_LOOK_AGAIN_SECONDS)
            return False
        for piece in page.pieces:
            if stream.why_ended is not None:
                return False
            await self._send(stream, send, _body(piece))
        stream.after = page.last
        return page.is_full

    async def _send(self, stream: Stream, send: Send, message: dict[str, Any]) -> None:
        async with stream.patience(self._settings.stream_send_seconds):
            await send(message)


def _body(piece: bytes) -> dict[str, Any]:
    return {"type": "http.response.body", "body": piece, "more_body": True}


async def _end_with_client(stream: Stream, receive: Receive) -> None:
    try:
        await client_left(receive)
    except ApiError:
        stream.end("bad_body")  # it announced one, which nobody asked for
    else:
        stream.end("left")
