"""What an export's rows become on their way out: the bytes as they are, or compressed. Parquet: parquet_file.py."""

import asyncio
import zlib
from collections.abc import Sequence
from typing import Final, Protocol

# Of rows with texts that are much alike it makes a fifth (CSV) or an eighth (ndjson), faster than PostgreSQL writes
# them; 6 makes a tenth less of it and takes more than twice as long.
_GZIP_LEVEL: Final = 1
_GZIP: Final = 16 + zlib.MAX_WBITS


class ExportFile(Protocol):
    """A file that is written from its beginning to its end, never all of it in memory."""

    async def write(self, pieces: Sequence[bytes]) -> Sequence[bytes]:
        """More of PostgreSQL's bytes; what of the file is ready now."""
        ...

    async def end(self) -> Sequence[bytes]:
        """The rest of the file."""
        ...


class PlainFile:
    """The bytes as they are."""

    async def write(self, pieces: Sequence[bytes]) -> Sequence[bytes]:
        return pieces

    async def end(self) -> Sequence[bytes]:
        return ()


class GzipFile:
    """Compressed, in a thread: it takes longer than all else."""

    def __init__(self) -> None:
        self._compressor = zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, _GZIP)

    async def write(self, pieces: Sequence[bytes]) -> Sequence[bytes]:
        return await asyncio.to_thread(self._compress, pieces)

    async def end(self) -> Sequence[bytes]:
        return (self._compressor.flush(),)

    def _compress(self, pieces: Sequence[bytes]) -> list[bytes]:
        return [ready for piece in pieces if (ready := self._compressor.compress(piece))]
