"""A campaign's log as one file: its pieces as they come, and a file that is there only when it is whole."""

import asyncio
import os
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import httpx

from relaygram_client.errors import UnexpectedAnswerError
from relaygram_client.transport import Transport

ExportFormat = Literal["csv", "ndjson", "parquet"]


@asynccontextmanager
async def pieces_of_export(
    transport: Transport, campaign_id: int, *, format: ExportFormat, gzip: bool, wanted: Mapping[str, Any]
) -> AsyncIterator[AsyncIterator[bytes]]:
    """The pieces of one answer. Raises ValueError for what can not be compressed."""
    if gzip and format == "parquet":
        raise ValueError("a parquet file is compressed already")
    headers = {"Accept": "*/*", "Accept-Encoding": "gzip" if gzip else "identity"}
    path = f"/campaigns/{campaign_id}/logs/export"
    async with transport.opened(path, headers, query={"format": format, **wanted}) as response:
        yield transport.reading(_compressed(response) if gzip else response.aiter_bytes())


def _compressed(response: httpx.Response) -> AsyncIterator[bytes]:
    """As they came, not unpacked."""
    if response.headers.get("content-encoding") != "gzip":
        raise UnexpectedAnswerError(f"{response.url.host} does not compress what it sends")
    return response.aiter_raw()


async def write_whole(path: Path, pieces: AsyncIterator[bytes], on_piece: Callable[[bytes], None] | None) -> None:
    """Write beside the file, and give it its name when the last piece is on the disk; on any failure nothing stays."""
    part = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
    file = await asyncio.to_thread(part.open, "xb")
    try:
        try:
            async for piece in pieces:
                await asyncio.to_thread(file.write, piece)
                if on_piece is not None:
                    on_piece(piece)
            await asyncio.to_thread(file.flush)
            await asyncio.to_thread(os.fsync, file.fileno())
        finally:
            await asyncio.to_thread(file.close)
        await asyncio.to_thread(os.replace, part, path)
    finally:
        part.unlink(missing_ok=True)  # renamed when all went well
