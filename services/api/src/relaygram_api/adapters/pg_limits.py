"""Limits that all replicas have in common: requests of a caller, failed log-ins an e-mail and an address."""

from collections.abc import Sequence

from relaygram_api.adapters.pg_workspace import Database
from relaygram_api.core.rate_limit import Rate


async def take_requests(
    database: Database, surface: str, caller_id: int, rate: Rate, *, most: int, given_back: int
) -> tuple[int, float]:
    """(how many requests may pass, how many are left for others)."""
    row = await database.fetch_for_nobody(
        "take_requests", surface, caller_id, rate.per_minute, rate.burst, most, given_back
    )
    return (row["granted"], row["requests_left"]) if row else (0, 0.0)


async def begin_login(database: Database, who: Sequence[bytes], limit: int) -> tuple[list[int] | None, float]:
    """The tries that were begun; else None and how long to wait (0: until one of the open tries has ended)."""
    row = await database.fetch_for_nobody("begin_login", list(who), limit)
    return (row["tries"], row["wait_seconds"]) if row else (None, 0.0)


async def end_login(database: Database, tries: Sequence[int], *, has_failed: bool) -> None:
    """Say how the tries ended."""
    await database.fetch_for_nobody("end_login", list(tries), has_failed)


async def prune(database: Database, most: int) -> int:
    """Remove what no longer counts, so many rows of each kind at most; how many went."""
    row = await database.fetch_for_nobody("prune_requests", most)
    return row["pruned"] if row else 0
