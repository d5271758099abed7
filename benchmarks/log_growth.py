"""What ten times the rows cost: rows written by the log-writer's function, and pages read, in a small and a large log.

Writing is measured where it costs most, at the end: when a batch costs at most so much more with ten times the rows
already there, all of them together do not cost more than ten times as much and that.
"""

import asyncio
import time
from collections.abc import Sequence
from statistics import median
from typing import Any

import asyncpg

from benchmarks.log_events import final_events
from benchmarks.log_filling import fill
from benchmarks.log_query import DATABASE, Ask, read_page, readers, seconds_each
from benchmarks.log_servers import LogServers
from benchmarks.results import Part, Result, of_runs
from relaygram_api.core.log_query import LogQuery
from relaygram_common.database.pool import EVERY_WORKSPACE, create_pool
from relaygram_log_writer.adapters.pg_log import PgLog
from relaygram_log_writer.core.row import Row, row_of

_SMALL = "reading_tenth"
_ROUNDS, _BATCH, _BATCHES = 7, 1000, 15
_WRITE_GOAL, _READ_GOAL = 1.05, 1.2
_WHY = "ids come in no order: the more rows, the deeper their index, and the less of it is near the processor"
_OTHER_NUMBERS = 1_000_000_000  # messages that the filled log does not have


async def measure(servers: LogServers, rows: int) -> Part:
    """In turns: the small log, the large one. The large one may be there from the measurement of queries."""
    for name, size in ((_SMALL, rows // 10), (DATABASE, rows)):
        await _ensure(servers, name, size)
    return Part("Growth of the log", [await _written(servers, rows), *await _read(servers, rows)], {})


async def _ensure(servers: LogServers, name: str, rows: int) -> None:
    await asyncio.to_thread(servers.database, name)
    database = await asyncpg.connect(servers.postgres.dsn(name))
    try:
        if not await database.fetchval("select exists (select from delivery.campaign_counters)"):
            await fill(database, rows)
    finally:
        await database.close()


async def _written(servers: LogServers, rows: int) -> Result:
    pools = [await _writer(servers, name) for name in (_SMALL, DATABASE)]
    try:
        turns = [await _turn(pools, turn) for turn in range(_ROUNDS + 1)]
    finally:
        for pool in pools:
            await pool.close()
    ratios = [large / small for small, large in turns[1:]]  # the first one warms
    told = f"{_BATCH / median(large for _, large in turns):.0f}/s with {rows} rows there"
    return of_runs(
        "Writing a batch with 10 × the rows there / with the rows", ratios, _WRITE_GOAL, told, is_limit=True, note=_WHY
    )


async def _writer(servers: LogServers, name: str) -> Any:
    dsn = servers.postgres.dsn(name, "relaygram_log_writer")
    return await create_pool(dsn, application_name="bench", workspace=EVERY_WORKSPACE, max_size=1)


async def _turn(pools: Sequence[Any], turn: int) -> list[float]:
    """Seconds for a batch with each, the median of some, in turns: what else the machine does meets all."""
    first = _OTHER_NUMBERS + turn * _BATCH * _BATCHES
    made = [row for event in final_events(first, _BATCH * _BATCHES) if (row := row_of(event))]
    taken: list[list[float]] = [[] for _ in pools]
    for at in range(0, len(made), _BATCH):
        for pool, seconds in zip(pools, taken, strict=True):
            seconds.append(await _seconds(pool, made[at : at + _BATCH]))
    return [median(seconds) for seconds in taken]


async def _seconds(pool: Any, batch: list[Row]) -> float:
    began = time.perf_counter()
    written = await PgLog(pool).write(batch)
    assert written.revisions
    return time.perf_counter() - began


async def _read(servers: LogServers, rows: int) -> list[Result]:
    results = []
    async with readers(servers, _SMALL) as small, readers(servers, DATABASE) as large:
        for name, status in (("page in the middle", None), ("page behind status=failed", "failed")):
            asks = [_asking(small, rows // 10, status), _asking(large, rows, status)]
            await seconds_each(asks)  # warm
            turns = [await seconds_each(asks) for _ in range(_ROUNDS)]
            told = f"{median(later for _, later in turns) * 1e3:.2f} ms at {rows} rows"
            ratios = [later / earlier for earlier, later in turns]
            results.append(of_runs(f"Log, {name}, 10 × the rows / the rows", ratios, _READ_GOAL, told, is_limit=True))
    return results


def _asking(reader: Any, rows: int, status: str | None) -> Ask:
    page = rows // 5 // 25 // 2 if status is None else 5
    query = LogQuery(per_page=25, page=page, order="asc", status=status)
    return lambda: read_page(reader, query)
