"""The log as a Parquet file, by pyarrow: an extra, which most installations do without."""

import asyncio
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from relaygram_api.core.log_export import COLUMNS

if TYPE_CHECKING:
    import pyarrow

_INTEGERS: Final = frozenset({"id", "campaign_id", "sender_id", "revision"})
_SMALL_INTEGERS: Final = frozenset({"sequence_step", "attempts"})


class NoParquetError(Exception):
    """pyarrow is not installed."""


async def parquet_file() -> "ParquetFile":
    """An empty one. Raises NoParquetError."""
    # The first import takes a while.
    return await asyncio.to_thread(ParquetFile)


class ParquetFile:
    """Each write becomes a row group. pyarrow reads and writes in threads, which leave the event loop alone."""

    def __init__(self) -> None:
        try:
            import pyarrow
            import pyarrow.csv
            import pyarrow.parquet
        except ImportError:
            raise NoParquetError from None
        self._read_csv = pyarrow.csv.read_csv
        self._schema = _schema(pyarrow)
        self._parsing = pyarrow.csv.ParseOptions(newlines_in_values=True)
        # PostgreSQL writes null as nothing and an empty text as "".
        self._converting = pyarrow.csv.ConvertOptions(
            column_types=self._schema,
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        )
        self._csv = pyarrow.csv
        self._ready = _Ready()
        self._writer = pyarrow.parquet.ParquetWriter(self._ready, self._schema, compression="zstd")

    async def write(self, pieces: Sequence[bytes]) -> Sequence[bytes]:
        return await asyncio.to_thread(self._write, pieces) if pieces else ()

    async def end(self) -> Sequence[bytes]:
        return await asyncio.to_thread(self._end)

    def _write(self, pieces: Sequence[bytes]) -> list[bytes]:
        rows = b"".join(pieces)
        # All of it in one block, since no row may lie in two.
        reading = self._csv.ReadOptions(column_names=list(COLUMNS), block_size=len(rows) + 1, use_threads=False)
        table = self._read_csv(io.BytesIO(rows), reading, self._parsing, self._converting)
        self._writer.write_table(table, row_group_size=max(1, table.num_rows))
        return self._ready.take()

    def _end(self) -> list[bytes]:
        self._writer.close()
        return self._ready.take()


class _Ready(io.RawIOBase):
    """Where the writer leaves the bytes that are ready."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._place = 0

    def writable(self) -> bool:
        return True

    def write(self, piece: Any) -> int:
        copy = bytes(piece)  # the buffer is used again
        self._pieces.append(copy)
        self._place += len(copy)
        return len(copy)

    def tell(self) -> int:
        return self._place

    def take(self) -> list[bytes]:
        """What has been written since the last time."""
        pieces, self._pieces = self._pieces, []
        return pieces


def _schema(arrow: Any) -> "pyarrow.Schema":
    def kind(name: str) -> Any:
        if name.endswith("_at"):
            return arrow.timestamp("us", tz="UTC")
        return arrow.int64() if name in _INTEGERS else arrow.int32() if name in _SMALL_INTEGERS else arrow.string()

    return arrow.schema([(name, kind(name)) for name in COLUMNS])
