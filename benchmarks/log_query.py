"""Pages of the log as the api reads them, totals included, against the same 25 rows by primary key through asyncpg."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from statistics import median, quantiles
from typing import Any

import asyncpg

from benchmarks.charts import Range, chart
from benchmarks.log_filling import CAMPAIGN, WORKSPACE, fill
from benchmarks.log_servers import LogServers
from benchmarks.results import Part, Result, of_runs
from relaygram_api.adapters import pg_logs
from relaygram_api.adapters.pg_reading import Readers
from relaygram_api.core.log_query import Bookmark, LogQuery
from relaygram_common.database.pool import create_pool
from relaygram_common.database.statements import Statements

GOAL = 1.5
_PER_PAGE = 25
_ROUNDS = 7
_TURNS = 60  # pages in a turn; some 10 ms
_NOISE = 0.2
DATABASE = "reading"
_sql = Statements("benchmarks")

_WHY = {
    "thousands of changes": "of changes, a total between 128 and some 10,000 is counted",
    "Log, since,": "its moment is looked for by halving: one probe for each doubling of the log",
}

Ask = Callable[[], Awaitable[Any]]


async def measure(servers: LogServers, rows: int) -> Part:
    """Each kind of page in turns with the rows that it shows."""
    await asyncio.to_thread(servers.database, DATABASE)
    database = await asyncpg.connect(servers.postgres.dsn(DATABASE))
    try:
        await fill(database, rows)
        async with readers(servers, DATABASE) as reader:
            first_of = await database.fetchval("select min(created_at) from delivery.messages")
            pages = _pages(rows // 5)
            for name, query in _filtered(rows // 5, first_of).items():
                pages[f"Log, {name}, first page"] = query
                pages[f"Log, {name}, cursor"] = await _further(reader, query, rows // 5)
            measured = {name: await _compare(database, reader, query) for name, query in pages.items()}
    finally:
        await database.close()
    results = [
        of_runs(f"{name} / its rows by key", ratios, GOAL, _told(rows, ours), is_limit=True, note=_why(name))
        for name, (ratios, ours, _) in measured.items()
    ]
    results.append(_depth(measured["Log, deepest page"][2], measured["Log, page 1"][2]))
    ranges = [_milliseconds(name, taken) for name, (_, _, taken) in measured.items()]
    plot = chart("Milliseconds for a page of 25 rows, totals included", ranges)
    return Part("Reading the log", results, {"pages.svg": plot})


def _told(rows: int, seconds: float) -> str:
    return f"{rows} rows; {seconds * 1e3:.2f} ms"


def _why(name: str) -> str:
    """What limits a page that misses the goal."""
    return next(
        (why for part, why in _WHY.items() if part in name),
        "half of it is Python: the connection taken and given back, the cursor read",
    )


def _milliseconds(name: str, taken: list[float]) -> Range:
    return Range(name, *(1e3 * value for value in (min(taken), median(taken), max(taken))))


def _pages(last: int) -> dict[str, LogQuery]:
    """What is asked for without a filter, of a campaign with `last` rows."""
    first = LogQuery(per_page=_PER_PAGE, page=1, order="asc")
    return {
        "Log, page 1": first,
        "Log, page in the middle": replace(first, page=last // _PER_PAGE // 2),
        "Log, deepest page": replace(first, page=last // _PER_PAGE),
        "Log, newest first": replace(first, order="desc"),
    }


def _filtered(last: int, began: datetime) -> dict[str, LogQuery]:
    """What is asked for behind a filter: every fifth row of all is the campaign's, one a millisecond."""
    filters: dict[str, dict[str, Any]] = {
        "status=failed": {"status": "failed"},
        "status=sent": {"status": "sent"},
        "code": {"code": "USER_PRIVACY_RESTRICTED"},
        "sender_id": {"sender_id": 5 * last * 9 // 10 // 10 * 10 + 1},
        "since_id": {"since_id": last - last % 10 + 1},  # a row of this campaign
        "since": {"since": began + timedelta(milliseconds=5 * last // 3)},
        "changed_since, few changes": {"changed_since": 5 * last - 500},
        "changed_since, thousands of changes": {"changed_since": 5 * last - 25_000},
        "changed_since, many changes": {"changed_since": last},
    }
    first = LogQuery(per_page=_PER_PAGE, page=1, order="asc")
    return {name: replace(first, **narrowed) for name, narrowed in filters.items()}


async def _further(reader: Any, query: LogQuery, last: int) -> LogQuery:
    """The page behind a cursor in the midst of what fits. What the cursor has of a total was counted before the log
    changed, as it is where rows are being written."""
    bookmark = (await read_page(reader, query)).next
    if bookmark is None:
        return replace(query, cursor=query.cursor_at(CAMPAIGN, Bookmark(last * 3 // 5)))
    after = max(bookmark.after, 5 * last * 3 // 5 if query.sort == "revision" else last * 3 // 5)
    counted = None if bookmark.counted is None else bookmark.counted._replace(revision=0)
    return replace(query, cursor=query.cursor_at(CAMPAIGN, replace(bookmark, after=after, counted=counted)))


@asynccontextmanager
async def readers(servers: LogServers, database: str) -> AsyncIterator[Any]:
    """The connections with which the api reads, and as its role."""
    dsn = servers.postgres.dsn(database, "relaygram_api")
    pool = await create_pool(dsn, application_name="bench", max_size=1)
    try:
        yield Readers(pool, answer_seconds=10.0).reading
    finally:
        await pool.close()


async def read_page(reader: Any, query: LogQuery) -> pg_logs.LogPage:
    """A page as the route reads it."""
    async with reader(WORKSPACE) as connection:
        page = await pg_logs.read(connection, CAMPAIGN, query)
    assert page is not None
    return page


async def _compare(database: Any, reader: Any, query: LogQuery) -> tuple[list[float], float, list[float]]:
    shown = (await read_page(reader, query)).rows
    keys = [row["campaign_id"] for row in shown], [row["job_id"] for row in shown]
    by_key = await database.prepare(_sql["by_key"])
    asks: tuple[Ask, Ask] = (lambda: read_page(reader, query), lambda: by_key.fetch(*keys))
    await seconds_each(asks)  # warm
    pairs = [await seconds_each(asks) for _ in range(_ROUNDS)]
    ours = [one for one, _ in pairs]
    return [one / other for one, other in pairs], median(ours), ours


async def seconds_each(asks: Sequence[Ask]) -> list[float]:
    """What each takes, asked one after the other, again and again: of all times the quick fifth, since the slow ones
    tell what else the machine did."""
    taken: list[list[float]] = [[] for _ in asks]
    for _ in range(_TURNS):
        for ask, times in zip(asks, taken, strict=True):
            began = time.perf_counter()
            await ask()
            times.append(time.perf_counter() - began)
    return [quantiles(times, n=5)[0] for times in taken]


def _depth(deep: list[float], first: list[float]) -> Result:
    ratios = [one / other for one, other in zip(deep, first, strict=True)]
    return of_runs("Log, deepest page / page 1", ratios, 1 + _NOISE, "within noise", is_limit=True)
