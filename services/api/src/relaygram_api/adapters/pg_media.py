"""Media: what a file is, and its bytes in chunks."""

from collections.abc import AsyncIterator, Collection
from typing import Any

from relaygram_api.adapters.pg_workspace import Connection, sql
from relaygram_api.core.media import MediaFile


async def existing(connection: Connection, ids: Collection[int]) -> set[int]:
    """Which of these there are."""
    if not ids:
        return set()
    return {row["id"] for row in await connection.fetch(sql["existing_media"], sorted(ids))}


async def get(connection: Connection, media_id: int) -> dict[str, Any] | None:
    """What is known of one."""
    row = await connection.fetchrow(sql["get_media"], media_id)
    return dict(row) if row else None


async def add(connection: Connection, workspace_id: int, file: MediaFile, chunks: AsyncIterator[bytes]) -> int:
    """A new one; its id. Its chunks are read and written one after the other."""
    await connection.execute(sql["allow_long_write"])
    media_id: int = await connection.fetchval(
        sql["insert_media"],
        workspace_id,
        file.kind,
        file.mime_type,
        file.file_name,
        file.size_bytes,
        file.sha256,
    )
    number = 0
    async for chunk in chunks:
        await connection.execute(sql["insert_media_chunk"], media_id, number, workspace_id, chunk, timeout=30.0)
        number += 1
    return media_id
