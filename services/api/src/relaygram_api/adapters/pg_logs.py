"""The log, of one campaign or of all: written by the log-writer, read here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from relaygram_api.adapters.log_pages import PLAIN_PAGES, filtered_page
from relaygram_api.adapters.pg_campaigns import like
from relaygram_api.adapters.pg_workspace import Connection, sql
from relaygram_api.core.log_query import MOST_COUNTED, AllLogsQuery, Bookmark, Counted, LogQuery, LogQueryError

# A filter that little fits makes no request look at more rows: it ends with a cursor, if need be without a row.
MOST_LOOKED_AT: Final = 10_000
# A page further on is as empty as this one, and its position still fits PostgreSQL's integers.
MOST_SKIPPED: Final = 2**62


@dataclass(frozen=True, slots=True)
class LogPage:
    """Rows of the log, and how many there are in all. `next` is where the next page begins when more follow."""

    rows: Sequence[Mapping[str, Any]]
    total: int
    is_capped: bool
    next: Bookmark | None = None
    version: Sequence[int] | None = None  # of the log; None where it was not read


async def version(connection: Connection, campaign_id: int) -> Sequence[int] | None:
    """What every change of the campaign's log changes; None when it has none."""
    found: Sequence[int] | None = await connection.fetchval(sql["log_version"], campaign_id)
    return None if found is None else tuple(found)


async def read(connection: Connection, campaign_id: int, query: LogQuery) -> LogPage | None:
    """A page; None when there never was such a campaign. Raises LogQueryError."""
    try:
        query.check()
        bookmark = query.bookmark(campaign_id)
    except LogQueryError:
        if await connection.fetchrow(sql["log_totals"], campaign_id) is None:
            return None
        raise
    if query.is_unfiltered and bookmark is None:
        skipped = min((query.page - 1) * query.per_page, MOST_SKIPPED)
        found = await connection.fetch(PLAIN_PAGES[query.order], campaign_id, skipped, query.per_page + 1)
    else:
        statement, arguments = filtered_page(campaign_id, query, bookmark)
        found = await connection.fetch(statement, *arguments)
    if found:
        return _page(found[0]["log"], found[1:], query)
    return (
        None if await connection.fetchrow(sql["log_totals"], campaign_id) is None else LogPage([], 0, is_capped=False)
    )


def _page(log: Sequence[int], rows: Sequence[Mapping[str, Any]], query: LogQuery) -> LogPage:
    """One row more than is shown tells that more follow."""
    total, begin, end, revision, *place = log
    is_capped = query.has_other_filter and total > MOST_COUNTED
    following = None
    if len(rows) > query.per_page:
        counted = Counted(total, begin, revision) if query.is_total_counted else None
        following = Bookmark(rows[query.per_page - 1][query.sort], place[0] if place else None, counted)
    shown = MOST_COUNTED if is_capped else total
    return LogPage(rows[: query.per_page], shown, is_capped, following, (begin, end, revision))


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
