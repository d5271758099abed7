"""The log, of one campaign or of all: written by the log-writer, read here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from relaygram_api.adapters.log_pages import filtered_page
from relaygram_api.adapters.pg_campaigns import like
from relaygram_api.adapters.pg_workspace import Connection, sql
from relaygram_api.core.log_query import MOST_COUNTED, AllLogsQuery, LogQuery, LogQueryError

# A filter that little fits makes no request look at more rows: it ends with a cursor, if need be without a row.
MOST_LOOKED_AT: Final = 10_000
# A page further on is as empty as this one, and its position still fits PostgreSQL's integers.
MOST_SKIPPED: Final = 2**62


@dataclass(frozen=True, slots=True)
class LogPage:
    """Rows of the log, and how many there are in all. `last` is the place of the last row when more follow."""

    rows: Sequence[Mapping[str, Any]]
    total: int
    is_capped: bool
    last: int | None
    version: Sequence[int] | None = None  # of the log; None where it was not read


async def version(connection: Connection, campaign_id: int) -> Sequence[int] | None:
    """What every change of the campaign's log changes; None when it has none."""
    found: Sequence[int] | None = await connection.fetchval(sql["log_version"], campaign_id)
    return found


async def read(connection: Connection, campaign_id: int, query: LogQuery) -> LogPage | None:
    """A page; None when there never was such a campaign. Raises LogQueryError."""
    if query.is_unfiltered and query.cursor is None:
        return await _page_by_position(connection, campaign_id, query)
    try:
        query.check()
        statement, arguments = filtered_page(campaign_id, query, query.after(campaign_id))
    except LogQueryError:
        if await connection.fetchrow(sql["log_totals"], campaign_id) is None:
            return None
        raise
    rows = await connection.fetch(statement, *arguments)
    if rows:
        return _page(rows, query, *_capped(query, rows[0]["total"]))
    known = await connection.fetchrow(sql["log_totals"], campaign_id)
    return None if known is None else _page([], query, *await _total(connection, campaign_id, query, known))


def _page(rows: Sequence[Mapping[str, Any]], query: LogQuery, total: int, is_capped: bool = False) -> LogPage:
    """One row more than is shown tells that more follow."""
    shown = rows[: query.per_page]
    last = shown[-1][query.sort] if len(rows) > query.per_page else None
    return LogPage(shown, total, is_capped, last, shown[0]["version"] if shown else None)


async def read_all(
    connection: Connection, workspace_id: int, query: AllLogsQuery
) -> tuple[list[dict[str, Any]], int | None]:
    """Rows of all campaigns, and the id after which to go on; None at the end. Raises LogQueryError."""
    place = (workspace_id, query.after(), query.since)
    pattern = None if query.q is None else like(query.q)
    rows = await connection.fetch(
        sql[f"all_logs_{query.order}"],
        *place,
        query.status,
        query.sender_id,
        query.code,
        pattern,
        MOST_LOOKED_AT,
        query.per_page + 1,
    )
    if len(rows) > query.per_page:
        return [dict(row) for row in rows[: query.per_page]], rows[query.per_page - 1]["id"]
    looked_to: int | None = await connection.fetchval(sql[f"looked_to_{query.order}"], *place, MOST_LOOKED_AT)
    return [dict(row) for row in rows], looked_to


async def _page_by_position(connection: Connection, campaign_id: int, query: LogQuery) -> LogPage | None:
    skipped = min((query.page - 1) * query.per_page, MOST_SKIPPED)
    rows = await connection.fetch(sql[f"log_page_{query.order}"], campaign_id, skipped, query.per_page + 1)
    if rows:
        return _page(rows, query, rows[0]["total"])
    known = await connection.fetchrow(sql["log_totals"], campaign_id)
    return None if known is None else _page([], query, known["total"])


async def _total(connection: Connection, campaign_id: int, query: LogQuery, known: Any) -> tuple[int, bool]:
    if not query.has_other_filter:
        return known[query.status or "total"], False
    found = await connection.fetchval(sql["log_count"], *_filter(campaign_id, query), MOST_COUNTED + 1)
    return _capped(query, found)


def _capped(query: LogQuery, found: int) -> tuple[int, bool]:
    """Exact by counters; behind other filters up to MOST_COUNTED."""
    return (min(found, MOST_COUNTED), found > MOST_COUNTED) if query.has_other_filter else (found, False)


def _filter(campaign_id: int, query: LogQuery) -> tuple[Any, ...]:
    return (
        campaign_id,
        query.status,
        query.since,
        query.since_id,
        query.sender_id,
        query.changed_since,
        query.code,
        None if query.q is None else like(query.q),
    )
