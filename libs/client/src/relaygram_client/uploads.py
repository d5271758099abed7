"""Bodies in pieces, read in threads."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Callable
from pathlib import Path

_PIECE_BYTES = 256 * 1024
#: Called with the bytes handed over so far.
OnProgress = Callable[[int], None]


async def of_file(path: Path) -> AsyncIterator[bytes]:
    """A file."""
    file = await asyncio.to_thread(path.open, "rb")
    try:
        while piece := await asyncio.to_thread(file.read, _PIECE_BYTES):
            yield piece
    finally:
        await asyncio.to_thread(file.close)


async def of_bytes(whole: bytes) -> AsyncIterator[bytes]:
    """What is in memory."""
    for start in range(0, len(whole), _PIECE_BYTES):
        yield whole[start : start + _PIECE_BYTES]


async def watched(pieces: AsyncIterable[bytes], on_progress: OnProgress | None) -> AsyncIterator[bytes]:
    """The same pieces, told of as they go."""
    handed_over = 0
    async for piece in pieces:
        yield piece
        handed_over += len(piece)
        if on_progress is not None:
            on_progress(handed_over)
