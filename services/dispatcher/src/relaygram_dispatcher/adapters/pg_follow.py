"""The log's changes, and what follows from them, in PostgreSQL."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from relaygram_common.database.statements import Statements
from relaygram_dispatcher.adapters.pg_due import due_of
from relaygram_dispatcher.adapters.pg_runs import LeaseLostError
from relaygram_dispatcher.core.run import Run
from relaygram_dispatcher.core.sequence import Following, Outcome

_sql = Statements("relaygram_dispatcher")


@dataclass(frozen=True, slots=True)
class Changes:
    """A page of the log's changes: the messages among them that have their outcome."""

    outcomes: list[Outcome]
    until: int  # the last revision of the page
    full: bool  # there may be more


class PgFollow:
    """Reads the log, writes due rows and how far it has read, in one transaction."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", *, page_size: int) -> None:
        self._pool = pool
        self._page_size = page_size

    async def changes(self, run: Run, after: int) -> Changes:
        """What is newer than a revision."""
        rows = await self._pool.fetch(_sql["log_changes"], run.campaign_id, after, self._page_size)
        until = rows[-1]["revision"] if rows else after
        return Changes(_outcomes(rows), until, len(rows) == self._page_size)

    async def stale(self, run: Run, followed: int) -> list[Outcome]:
        """Outcomes older than the due rows of their messages."""
        return _outcomes(await self._pool.fetch(_sql["log_stale"], run.campaign_id, followed, self._page_size))

    async def messages_of(self, run: Run, people: Sequence[int]) -> dict[int, set[UUID]]:
        """Which messages each of these people has."""
        found: dict[int, set[UUID]] = defaultdict(set)
        for row in await self._pool.fetch(_sql["messages_of"], run.campaign_id, list(people)):
            found[row["contact_id"]].add(row["job_id"])
        return found

    async def follow(
        self, run: Run, *, after: int, until: int, following: Sequence[tuple[int, Following]], decided: bool = True
    ) -> int:
        """All of it, by contact; how many due rows came. Raises LeaseLostError.

        `decided`: the rows that leave have outcomes; else they never were messages.
        """
        rows = [row for _, each in following for row in each.rows]
        came = await self._pool.fetchval(
            _sql["follow"],
            run.campaign_id,
            run.epoch,
            after,
            until,
            decided,
            [each.done for _, each in following if each.done is not None],
            [contact for contact, each in following if each.enrolls],
            [row.job_id for row in rows],
            [row.contact_id for row in rows],
            [row.trigger for row in rows],
            [row.step_identity for row in rows],
            [row.step for row in rows],
            [row.follow_up for row in rows],
            [row.due_at for row in rows],
            [row.follows_at for row in rows],
        )
        if came is None:
            raise LeaseLostError(f"run of campaign {run.campaign_id}")
        return int(came)


def _outcomes(rows: Sequence[asyncpg.Record]) -> list[Outcome]:
    return [
        Outcome(
            job_id=row["job_id"],
            contact_id=row["contact_id"],
            status=row["status"],
            code=row["code"],
            sent_at=row["sent_at"],
            replied=row["replied"],
            enrolled=row["enrolled"],
            ended=row["ended"],
            due=due_of(row) if row["due_at"] is not None else None,
        )
        for row in rows
        if row["status"] != "pending" and row["contact_id"] is not None
    ]
