"""A file while it comes: on disk, so that memory stays flat; its size and hash are known as it grows."""

import asyncio
import hashlib
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import BinaryIO

from relaygram_api.adapters.file_types import mime_type_of

_CHUNK_BYTES = 1024 * 1024


class TooLongError(ValueError):
    """There is more than may be."""


class ReceivedFile:
    """Written piece by piece, then read in chunks. Disk is only touched in threads."""

    def __init__(self, file: BinaryIO, most_bytes: int) -> None:
        self._file = file
        self.most_bytes = most_bytes
        self._digest = hashlib.sha256()
        self._buffer = bytearray()
        self.size_bytes = 0

    async def write(self, piece: bytes) -> None:
        """What comes next. Raises TooLongError."""
        self.size_bytes += len(piece)
        if self.size_bytes > self.most_bytes:
            raise TooLongError(f"is larger than {self.most_bytes} bytes")
        self._buffer += piece
        if len(self._buffer) >= _CHUNK_BYTES:
            await self._flush()

    async def _flush(self) -> None:
        data = bytes(self._buffer)
        self._buffer.clear()
        await asyncio.to_thread(self._put, data)

    def _put(self, data: bytes) -> None:
        self._digest.update(data)
        self._file.write(data)

    async def end(self, name: str | None) -> tuple[str, bytes]:
        """It is whole: what it is by its bytes, and its SHA-256."""
        await self._flush()
        return await asyncio.to_thread(mime_type_of, self._file, name), self._digest.digest()

    async def chunks(self) -> AsyncIterator[bytes]:
        """All of it, from the beginning."""
        await asyncio.to_thread(self._file.seek, 0)
        while chunk := await asyncio.to_thread(self._file.read, _CHUNK_BYTES):
            yield chunk


@asynccontextmanager
async def receiving(most_bytes: int) -> AsyncIterator[ReceivedFile]:
    """A file that is gone afterwards, whatever happens."""
    # Without a name, so that not even a kill leaves it behind.
    file = await asyncio.to_thread(tempfile.TemporaryFile)
    try:
        yield ReceivedFile(file, most_bytes)
    finally:
        await asyncio.to_thread(file.close)
