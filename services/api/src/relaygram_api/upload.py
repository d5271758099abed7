"""Receives a file of contacts in chunks, each committed by itself, so that a slow client holds up nobody."""

import time
from collections.abc import AsyncIterator

from fastapi import Request, Response
from starlette.requests import ClientDisconnect

from relaygram_api.adapters import pg_imports
from relaygram_api.adapters.pg_workspace import Connection
from relaygram_api.change import Change, changing
from relaygram_api.core.contact_file import FileError, first_line, read_header
from relaygram_api.errors import ApiError, conflict, invalid, not_found, too_many_lines, too_slow
from relaygram_api.import_view import shown_import
from relaygram_api.parts import Caller, Parts

_CHUNK_BYTES = 1024 * 1024
_FLUSH_SECONDS = 10.0


async def _begin(connection: Connection, parts: Parts, caller: Caller, campaign_id: int, file_format: str) -> int:
    """The import's row, if the campaign takes contacts now."""
    status = await pg_imports.campaign_status(connection, campaign_id)
    if status is None:
        raise not_found("campaign")
    if status in ("completed", "stopped"):
        raise conflict("campaign_ended", f"A campaign that is {status} takes no more contacts.")
    return await pg_imports.create(
        connection, caller.workspace_id, campaign_id, file_format, upload_seconds=_upload_seconds(parts)
    )


async def demand_campaign(parts: Parts, caller: Caller, campaign_id: int) -> None:
    """404 when there is no such campaign."""
    async with parts.database.workspace(caller.workspace_id) as connection:
        if await pg_imports.campaign_status(connection, campaign_id) is None:
            raise not_found("campaign")


async def receive_csv(request: Request, parts: Parts, caller: Caller, campaign_id: int) -> Response:
    """Read the body to its end; the import. A header that can not be read is a 422 at once."""
    pieces = _bounded(request.stream(), parts.settings.max_import_lines)
    beginning = await _checked_beginning(pieces)
    async with changing(parts, caller) as change:
        import_id = await _begin(change.connection, parts, caller, campaign_id, "csv")
    try:
        return await _keep(parts, caller, import_id, beginning, pieces)
    except (ApiError, ClientDisconnect) as error:
        message = error.detail if isinstance(error, ApiError) else "the upload was broken off"
        async with changing(parts, caller) as change:
            await pg_imports.fail(change.connection, import_id, message)
        raise


async def store(parts: Parts, caller: Caller, campaign_id: int, data: bytes) -> Response:
    """A small file of JSON, in one piece; the import."""
    async with changing(parts, caller) as change:
        import_id = await _begin(change.connection, parts, caller, campaign_id, "json")
        await _add(change.connection, parts, caller, import_id, 0, data)
        return await _uploaded(change, import_id)


async def _bounded(pieces: AsyncIterator[bytes], most: int) -> AsyncIterator[bytes]:
    """The same pieces, until there are more lines than may be, not counting the header's."""
    ends, last = 0, b""
    async for piece in pieces:
        ends += piece.count(b"\n")
        last = piece or last
        if ends - 1 > most:
            raise too_many_lines(most)
        yield piece
    if ends == most + 1 and not last.endswith(b"\n"):
        raise too_many_lines(most)


async def _checked_beginning(pieces: AsyncIterator[bytes]) -> bytes:
    beginning = b""
    try:
        async for piece in pieces:
            beginning += piece
            if (line := first_line(beginning)) is not None:
                read_header(line)
                return beginning
        read_header(beginning)
    except FileError as problem:
        raise invalid({"file": [str(problem)]}, code="malformed_file") from None
    return beginning


async def _keep(
    parts: Parts, caller: Caller, import_id: int, beginning: bytes, pieces: AsyncIterator[bytes]
) -> Response:
    buffer, chunk, flushed_at = bytearray(beginning), 0, time.monotonic()
    async for piece in pieces:
        buffer += piece
        if len(buffer) >= _CHUNK_BYTES or time.monotonic() - flushed_at > _FLUSH_SECONDS:
            async with parts.database.workspace(caller.workspace_id) as connection:
                await _add(connection, parts, caller, import_id, chunk, bytes(buffer))
            buffer.clear()
            chunk, flushed_at = chunk + 1, time.monotonic()
    async with changing(parts, caller) as change:
        if buffer:
            await _add(change.connection, parts, caller, import_id, chunk, bytes(buffer))
        return await _uploaded(change, import_id)


async def _uploaded(change: Change, import_id: int) -> Response:
    """All is there: from now on the import is worked off, and its answer is kept for an Idempotency-Key."""
    if not await pg_imports.uploaded(change.connection, import_id):
        raise too_slow()
    row = await pg_imports.get(change.connection, import_id)
    return change.answer(shown_import(row or {}), status=202)


async def _add(connection: Connection, parts: Parts, caller: Caller, import_id: int, chunk: int, data: bytes) -> None:
    kept = await pg_imports.add_chunk(
        connection, caller.workspace_id, import_id, chunk, data, upload_seconds=_upload_seconds(parts)
    )
    if not kept:
        raise too_slow()


def _upload_seconds(parts: Parts) -> float:
    return 2 * parts.settings.upload_idle_seconds + _FLUSH_SECONDS
