"""An export as an ASGI response: sent as it is read, cut off where it can not go on, so that no file is silently short.

The length is not known, so it goes in chunks whose last one is empty (HTTP/1.1). Where the log can not be read on, or
the client does not take it, the connection is aborted without that last chunk: clients know such a file for broken.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Iterator, Sequence
from contextlib import aclosing
from typing import Any, Final

import structlog
from fastapi import Response
from prometheus_client import Counter
from starlette.types import Receive, Scope, Send

from relaygram_api.adapters.export_files import ExportFile
from relaygram_api.adapters.pg_workspace import is_transient
from relaygram_api.client_connection import client_left, cut, notice_vanishing, transport_of
from relaygram_api.core.log_export import CSV_HEADER, MEDIA_TYPES, Extent
from relaygram_api.log_exports import LogExports, LogReader, TokenEndedError, Wanted
from relaygram_common.tasks import cancel_and_wait

log = structlog.get_logger(__name__)

# What a client must take within its time, lest it is cut off; as much as comes from PostgreSQL at once.
_PIECE_BYTES: Final = 256 * 1024

_ended = Counter("relaygram_log_exports_ended_total", "Exports of the log that ended, and why", ["format", "why"])


class _SlowError(Exception):
    """The client stands still."""


class ExportResponse(Response):
    """The rows of an extent of the log, as a file."""

    def __init__(
        self,
        exports: LogExports,
        wanted: Wanted,
        extent: Extent,
        file: ExportFile,
        *,
        is_gzip: bool,
        send_seconds: float,
    ) -> None:
        name = f"campaign-{wanted.campaign_id}-log.{wanted.output}"
        headers = {
            "Cache-Control": "no-store",
            "Content-Disposition": f'attachment; filename="{name}"',
            "Content-Type": MEDIA_TYPES[wanted.output],
            "Vary": "Accept-Encoding",
            **({"Content-Encoding": "gzip"} if is_gzip else {}),
        }
        super().__init__(headers=headers)
        del self.headers["content-length"]
        self._exports = exports
        self._wanted = wanted
        self._extent = extent
        self._file = file
        self._send_seconds = send_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send all of it. Raises ApiError when there are too many exports."""
        with self._exports.place(self._wanted.caller):
            connection = transport_of(scope)
            notice_vanishing(connection)
            telling = asyncio.create_task(self._tell(scope, send), name="export")
            leaving = asyncio.create_task(client_left(receive), name="export-client")
            why = "failed"
            try:
                await asyncio.wait((telling, leaving), return_when=asyncio.FIRST_COMPLETED)
                why = self._outcome(telling)
            finally:
                await cancel_and_wait([telling, leaving])
                _ended.labels(self._wanted.output, why).inc()
            if why not in ("complete", "left"):
                await self._break_off(connection, why)

    def _outcome(self, telling: "asyncio.Task[None]") -> str:
        """Why it ended. What nobody foresaw is raised, which ends the connection as well."""
        if not telling.done():
            return "left"
        error = telling.exception()
        if error is None:
            return "complete"
        if isinstance(error, _SlowError):
            return "slow"
        if isinstance(error, TokenEndedError):
            return "token_ended"
        if not is_transient(error):
            raise error
        return "unavailable"

    async def _break_off(self, connection: asyncio.Transport | None, why: str) -> None:
        log.warning("export.broken", campaign_id=self._wanted.campaign_id, why=why)
        if connection is None:
            raise ConnectionAbortedError(f"the export broke off: {why}")
        await cut(connection)

    async def _tell(self, scope: Scope, send: Send) -> None:
        await self._send(send, {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        scope["state"]["exchange"].observe()  # its answer is here; how long it goes on is no matter of speed
        reader = self._exports.reader(self._wanted, self._extent)
        async with aclosing(_ahead(reader, self._file, self._wanted.output == "csv")) as parts:
            async for part in parts:
                for piece in _in_pieces(part):
                    await self._send(send, {"type": "http.response.body", "body": piece, "more_body": True})
        await self._send(send, {"type": "http.response.body", "body": b"", "more_body": False})

    async def _send(self, send: Send, message: dict[str, Any]) -> None:
        try:
            async with asyncio.timeout(self._send_seconds):
                await send(message)
        except TimeoutError:
            raise _SlowError from None


async def _ahead(reader: LogReader, file: ExportFile, has_header: bool) -> AsyncGenerator[Sequence[bytes]]:
    """What is to be sent, part by part; while one is sent the next is read."""
    if has_header:
        yield await file.write([CSV_HEADER])
    reading = asyncio.create_task(_next(reader, file), name="export-reading")
    try:
        while (part := await reading) is not None:
            reading = asyncio.create_task(_next(reader, file), name="export-reading")
            yield part
    finally:
        await cancel_and_wait([reading])
    yield await file.end()


async def _next(reader: LogReader, file: ExportFile) -> Sequence[bytes] | None:
    rows = await reader.next()
    return None if rows is None else await file.write(rows)


def _in_pieces(part: Iterable[bytes]) -> Iterator[bytes | memoryview]:
    for piece in part:
        if len(piece) <= _PIECE_BYTES:
            yield piece
        else:
            view = memoryview(piece)
            yield from (view[begin : begin + _PIECE_BYTES] for begin in range(0, len(view), _PIECE_BYTES))
