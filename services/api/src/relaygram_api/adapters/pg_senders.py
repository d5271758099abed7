"""The people of a campaign, with what the log says of each."""

from dataclasses import dataclass
from typing import Any

from relaygram_api.adapters.pg_campaigns import like
from relaygram_api.adapters.pg_workspace import Connection, sql
from relaygram_api.errors import not_found

MOST_COUNTED = 10_000


@dataclass(frozen=True, slots=True)
class Filter:
    """What the list is narrowed to."""

    status: str | None
    q: str | None

    @property
    def pattern(self) -> str | None:
        """`q` as a pattern for ILIKE."""
        return None if self.q is None else like(self.q.removeprefix("@"))


async def demand_campaign(connection: Connection, campaign_id: int) -> None:
    """404 when there is no such campaign."""
    if await connection.fetchval(sql["campaign_exists"], campaign_id) is None:
        raise not_found("campaign")


async def count(connection: Connection, campaign_id: int, wanted: Filter) -> tuple[int, bool]:
    """How many there are, and whether counting stopped at MOST_COUNTED."""
    if wanted.status is None and wanted.q is None:
        return await connection.fetchval(sql["count_senders"], campaign_id), False
    found: int = await connection.fetchval(
        sql["count_some_senders"], campaign_id, wanted.status, wanted.pattern, MOST_COUNTED + 1
    )
    return min(found, MOST_COUNTED), found > MOST_COUNTED


async def page(
    connection: Connection, campaign_id: int, wanted: Filter, *, limit: int, offset: int
) -> list[dict[str, Any]]:
    """These people, in the order they were added."""
    rows = await connection.fetch(sql["list_senders"], campaign_id, wanted.status, wanted.pattern, limit, offset)
    return [dict(row) for row in rows]
