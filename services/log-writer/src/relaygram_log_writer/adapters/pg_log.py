"""The log in PostgreSQL: one call per batch; a row that PostgreSQL refuses is found by halving the batch."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import asyncpg

from relaygram_common.database.statements import Statements
from relaygram_log_writer.core.row import Row

_sql = Statements("relaygram_log_writer")

# The row itself is at fault, and would be at every further try: asyncpg can not encode it (DataError of its own), or
# PostgreSQL refuses the value (class 22), the row (class 23) or its size (class 54).
_DATA_ERRORS = (
    asyncpg.DataError,
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.exceptions.DataError,
    asyncpg.ProgramLimitExceededError,
    UnicodeError,
)


@dataclass(slots=True)
class Written:
    """What a batch came to."""

    revisions: dict[int, int] = field(default_factory=dict)  # campaigns that changed → their newest revision
    refused: list[tuple[Row, str]] = field(default_factory=list)  # rows that can never be written, with why


class PgLog:
    """Writes folded rows, at most one per message."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        self._pool = pool

    async def write(self, rows: Sequence[Row]) -> Written:
        """Committed when it returns. Raises TRANSIENT_ERRORS; then nothing, or a part that may be written again, is."""
        written = Written()
        await self._write(rows, written)
        return written

    async def _write(self, rows: Sequence[Row], written: Written) -> None:
        if not rows:
            return
        try:
            changed = await self._pool.fetch(_sql["write_messages"], *_columns(rows))
        except _DATA_ERRORS as error:
            if len(rows) == 1:
                # Its first line names the fault; the details below it may quote the row.
                written.refused.append((rows[0], f"PostgreSQL refuses it: {str(error).partition(chr(10))[0]}"))
                return
            middle = len(rows) // 2
            await self._write(rows[:middle], written)
            await self._write(rows[middle:], written)
            return
        written.revisions.update((row["campaign_id"], row["revision"]) for row in changed)


def _columns(rows: Sequence[Row]) -> list[tuple[Any, ...] | None]:
    """The function's parameters: an array for each column, null for an empty one, as a third of them mostly are."""
    return [
        None if column[0] is None and column.count(None) == len(column) else column
        for column in zip(*rows, strict=True)
    ]
