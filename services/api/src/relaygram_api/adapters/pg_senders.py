"""The people of a campaign, with what the log says of each."""

from dataclasses import dataclass
from typing import Any

from relaygram_api.adapters.pg_campaigns import like
from relaygram_api.adapters.pg_workspace import Connection, sql
from relaygram_api.core.cursors import listing
from relaygram_api.errors import not_found

MOST_COUNTED = 10_000
# A status that so large a part of all messages has is found fastest by looking at one person after the other.
_NEARLY_ALL = 0.9


@dataclass(frozen=True, slots=True)
class Filter:
    """What the list is narrowed to."""

    campaign_id: int
    status: str | None
    q: str | None

    @property
    def is_empty(self) -> bool:
        """Whether it lets everybody through."""
        return self.status is None and self.q is None

    @property
    def pattern(self) -> str | None:
        """`q` as a pattern for ILIKE."""
        return None if self.q is None else like(self.q.removeprefix("@"))

    @property
    def listing(self) -> str:
        """What cursors of this list belong to."""
        return listing("senders", campaign=self.campaign_id, status=self.status, q=self.q)


@dataclass(frozen=True, slots=True)
class SenderPage:
    """Some people; `last` is the id after which more follow."""

    rows: list[dict[str, Any]]
    total: int
    is_capped: bool
    last: int | None


class TooDeepError(Exception):
    """With a filter, pages are counted up to row MOST_COUNTED; beyond that only the cursor goes on."""


async def demand_campaign(connection: Connection, campaign_id: int) -> None:
    """404 when there is no such campaign."""
    if await connection.fetchval(sql["campaign_exists"], campaign_id) is None:
        raise not_found("campaign")


async def page(connection: Connection, wanted: Filter, *, limit: int, offset: int, after: int | None) -> SenderPage:
    """These people, in the order they were added: from an offset, or after an id. Raises TooDeepError."""
    is_capped = False
    if wanted.is_empty:
        total: int = await connection.fetchval(sql["count_senders"], wanted.campaign_id)
        ids = await _ids(connection, "senders_in_order", wanted, after or 0, limit + 1, offset)
    else:
        statement = await _statement(connection, wanted)
        ids = await _ids(connection, statement, wanted, 0, MOST_COUNTED + 1, 0)
        total, is_capped = min(len(ids), MOST_COUNTED), len(ids) > MOST_COUNTED
        if after is not None:
            ids = await _ids(connection, statement, wanted, after, limit + 1, 0)
        elif is_capped and offset + limit > MOST_COUNTED:
            raise TooDeepError
        else:
            ids = ids[offset : offset + limit + 1]
    rows = await connection.fetch(sql["senders_by_id"], wanted.campaign_id, ids[:limit])
    return SenderPage([dict(row) for row in rows], total, is_capped, ids[limit - 1] if len(ids) > limit else None)


async def _statement(connection: Connection, wanted: Filter) -> str:
    if wanted.status in ("pending", "replied"):
        return f"senders_{wanted.status}"
    if wanted.status is None:
        return "senders_in_order"
    totals = await connection.fetchrow(sql["status_totals"], wanted.campaign_id)
    if totals is not None and totals[wanted.status] > _NEARLY_ALL * sum(totals):
        return "senders_in_order"
    return "senders_by_status"


async def _ids(
    connection: Connection, statement: str, wanted: Filter, after: int, limit: int, offset: int
) -> list[int]:
    rows = await connection.fetch(
        sql[statement], wanted.campaign_id, wanted.status, wanted.pattern, after, limit, offset
    )
    return [row["id"] for row in rows]
