"""The sends: kept by the log-writer with the messages, read here."""

import asyncio
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final

from relaygram_api.adapters.pg_workspace import Connection, Database, is_transient, sql
from relaygram_api.core.send_query import SendQuery, masked
from relaygram_common.backoff import backoff_seconds

# Messages that one statement looks at: some hundredths of a second, and less than a megabyte of answer.
_AT_ONCE: Final = 10_000
_TRIES: Final = 5
_KEY: Final = ("run_id", "step", "trigger", "follow_up", "job_id")


async def get(connection: Connection, workspace_id: int, send_id: int) -> Mapping[str, Any] | None:
    """One send; None when there is none of the workspace."""
    found: Mapping[str, Any] | None = await connection.fetchrow(sql["get_send"], workspace_id, send_id)
    return found


async def search(
    connection: Connection, workspace_id: int, query: SendQuery
) -> tuple[int, Sequence[Mapping[str, Any]]]:
    """How many there are, and a page of them in the order they began."""
    rows = await connection.fetch(
        sql["search_sends"], workspace_id, query.campaigns, query.since, query.until, query.skip, query.limit
    )
    return rows[0]["total"], [row for row in rows if row["id"] is not None]


async def destinations(database: Database, workspace_id: int, send: Mapping[str, Any]) -> AsyncIterator[list[str]]:
    """The people whose message was accepted, part by part: each is read by a short transaction of its own.

    Raises what asyncpg raises when PostgreSQL stays away.
    """
    for first in range(send["first_position"], send["last_position"] + 1, _AT_ONCE):
        last = min(first + _AT_ONCE - 1, send["last_position"])
        yield [masked(row["destination"]) for row in await _part(database, workspace_id, send, first, last)]


async def _part(
    database: Database, workspace_id: int, send: Mapping[str, Any], first: int, last: int
) -> Sequence[Mapping[str, Any]]:
    key = [send[name] for name in _KEY]
    for failures in range(1, _TRIES + 1):
        try:
            async with database.workspace(workspace_id) as connection:
                found: Sequence[Mapping[str, Any]] = await connection.fetch(
                    sql["send_destinations"], send["place"], first, last, *key
                )
                return found
        except Exception as error:
            if failures == _TRIES or not is_transient(error):
                raise
            jitter = random.random()  # noqa: S311 - spreads those who wait
            await asyncio.sleep(backoff_seconds(failures, first=0.1, cap=1.0, jitter=jitter))
    raise AssertionError("the last try returns or raises")
