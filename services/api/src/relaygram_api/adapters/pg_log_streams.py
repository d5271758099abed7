"""What live streams read of the log, and whose tokens have ended meanwhile."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from relaygram_api.adapters.pg_reading import Reading
from relaygram_api.adapters.pg_workspace import Database, sql

PAGE_ROWS: Final = 200
# Of texts, so that rows of the largest ones do not take two hundred times their size for each client.
PAGE_BYTES: Final = 128 * 1024


async def begin(reading: Reading, campaign_id: int) -> int | None:
    """The campaign's newest revision; None when there never was such a campaign."""
    revision: int | None = await reading.fetchval(sql["stream_begin"], campaign_id)
    return revision


async def page(database: Database, workspace_id: int, campaign_id: int, after: int) -> Sequence[Mapping[str, Any]]:
    """The next rows by revision."""
    async with database.reading(workspace_id) as reading:
        rows = await reading.fetch(sql["stream_page"], campaign_id, after, PAGE_ROWS, PAGE_BYTES)
        return [dict(row) for row in rows]


async def revisions(database: Database, workspace_id: int, campaign_ids: Collection[int]) -> dict[int, int]:
    """The newest revision of each of these campaigns that has any."""
    async with database.reading(workspace_id) as reading:
        return {row[0]: row[1] for row in await reading.fetch(sql["stream_revisions"], list(campaign_ids))}


async def ended_tokens(database: Database, token_ids: Collection[int]) -> list[int]:
    """Those of these tokens that were revoked, have expired, or whose user is disabled."""
    row = await database.fetch_for_nobody("ended_tokens", list(token_ids))
    return row["ended"] if row else []
