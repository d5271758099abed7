"""Receives a file of contacts in chunks, each committed by itself, so that a slow client holds up nobody."""

import time
from collections.abc import AsyncIterator

from fastapi import Request
from starlette.requests import ClientDisconnect

from relaygram_api.adapters import pg_imports
from relaygram_api.adapters.pg_workspace import Connection
from relaygram_api.core.contact_file import FileError, first_line, read_header
from relaygram_api.errors import ApiError, conflict, invalid, not_found, too_slow
from relaygram_api.parts import Caller, Parts

_CHUNK_BYTES = 1024 * 1024
_FLUSH_SECONDS = 10.0


async def begin_import(parts: Parts, caller: Caller, campaign_id: int, file_format: str) -> int:
    """The import's row, if the campaign takes contacts now."""
    async with parts.database.workspace(caller.workspace_id) as connection:
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


async def receive_csv(request: Request, parts: Parts, caller: Caller, campaign_id: int) -> int:
    """Read the body to its end; the import's id. A header that can not be read is a 422 at once."""
    pieces = request.stream()
    beginning = await _checked_beginning(pieces)
    import_id = await begin_import(parts, caller, campaign_id, "csv")
    try:
        await _keep(parts, caller, import_id, beginning, pieces)
    except (ApiError, ClientDisconnect) as error:
        message = error.detail if isinstance(error, ApiError) else "the upload was broken off"
        async with parts.database.workspace(caller.workspace_id) as connection:
            await pg_imports.fail(connection, import_id, message)
        raise
    return import_id


async def store(parts: Parts, caller: Caller, import_id: int, data: bytes) -> None:
    """The one piece of a small file."""
    async with parts.database.workspace(caller.workspace_id) as connection:
        await _add(connection, parts, caller, import_id, 0, data)
        await pg_imports.uploaded(connection, import_id)


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


async def _keep(parts: Parts, caller: Caller, import_id: int, beginning: bytes, pieces: AsyncIterator[bytes]) -> None:
    buffer, chunk, flushed_at = bytearray(beginning), 0, time.monotonic()
    async for piece in pieces:
        buffer += piece
        if len(buffer) >= _CHUNK_BYTES or time.monotonic() - flushed_at > _FLUSH_SECONDS:
            async with parts.database.workspace(caller.workspace_id) as connection:
                await _add(connection, parts, caller, import_id, chunk, bytes(buffer))
            buffer.clear()
            chunk, flushed_at = chunk + 1, time.monotonic()
    async with parts.database.workspace(caller.workspace_id) as connection:
        if buffer:
            await _add(connection, parts, caller, import_id, chunk, bytes(buffer))
        if not await pg_imports.uploaded(connection, import_id):
            raise too_slow()


async def _add(connection: Connection, parts: Parts, caller: Caller, import_id: int, chunk: int, data: bytes) -> None:
    kept = await pg_imports.add_chunk(
        connection, caller.workspace_id, import_id, chunk, data, upload_seconds=_upload_seconds(parts)
    )
    if not kept:
        raise too_slow()


def _upload_seconds(parts: Parts) -> float:
    return 2 * parts.settings.upload_idle_seconds + _FLUSH_SECONDS
