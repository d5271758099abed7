"""A log of any size with exact counters, made by PostgreSQL itself: the log-writer would take minutes."""

from typing import Any

from relaygram_common.database.statements import Statements

CAMPAIGN = 1  # has every fifth row; eight others have the rest
WORKSPACE = 1
_AT_ONCE = 100_000
_SECONDS = 600.0

_sql = Statements("benchmarks")


async def fill(database: Any, rows: int) -> None:
    """So many rows, their counters, and what stands behind them; settled as a log is that has grown for a while."""
    await database.execute(_sql["owners"])
    began = await database.fetchval("select date_trunc('milliseconds', now() - interval '5 hours')")
    for first in range(0, rows, _AT_ONCE):
        await database.execute(_sql["rows"], first, min(first + _AT_ONCE, rows), began, timeout=_SECONDS)
    await database.execute(_sql["counters"], timeout=_SECONDS)
    await database.execute("vacuum (analyze) delivery.messages", timeout=_SECONDS)
    await database.execute("checkpoint", timeout=_SECONDS)
