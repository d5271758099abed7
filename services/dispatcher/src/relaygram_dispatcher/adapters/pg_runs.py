"""Runs in PostgreSQL: leases, pages, cursors and completion."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import asyncpg

from relaygram_common.database.statements import Statements
from relaygram_dispatcher.core.pages import sender_name
from relaygram_dispatcher.core.run import Contact, Content, Due, Run

_sql = Statements("relaygram_dispatcher")


class LeaseLostError(Exception):
    """Another dispatcher works the run now."""


@dataclass(frozen=True, slots=True)
class Page:
    """The next people of a run, and how things stood when they were read."""

    content: Content
    people: list[Contact]
    cursor: int
    jobs_made: int
    finals: int
    generation: int
    read_at: datetime  # by PostgreSQL's clock, as all due times


class _NotCompleteError(Exception):
    """Rolls the completion back."""


class PgRuns:
    """Every write names the epoch it belongs to; in another one it writes nothing."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", *, owner: str, lease_seconds: float) -> None:
        self._pool = pool
        self._owner = owner
        self._lease_seconds = lease_seconds

    async def hold(self, mine: Collection[int], *, most: int) -> list[Run]:
        """Open runs that are due, take and renew leases; all runs this dispatcher holds now."""
        await self._pool.execute(_sql["open_runs"])
        await self._pool.execute(_sql["hold_runs"], self._owner, self._lease_seconds, list(mine), most)
        return [Run(**row) for row in await self._pool.fetch(_sql["held_runs"], self._owner)]

    async def release(self) -> None:
        """Give all runs up."""
        await self._pool.execute(_sql["release_runs"], self._owner)

    async def page(self, run: Run, size: int) -> Page | None:
        """The next people; None when the run is not ours, paused, or ended."""
        rows = await self._pool.fetch(_sql["run_page"], run.campaign_id, run.epoch, size)
        if not rows:
            return None
        first = rows[0]
        content = Content(
            workspace_id=run.workspace_id,
            campaign_id=run.campaign_id,
            account_id=run.account_id,
            run_id=run.run_id,
            template=first["template"],
            sender=sender_name(first["account_handle"], first["account_user_id"]),
            reference=first["reference"],
            entity_id=first["entity_id"],
            application_id=first["application_id"],
            content_type=first["content_type"],
            scheduled=first["scheduled"],
        )
        people = [_contact(row) for row in rows if row["id"] is not None]
        return Page(
            content,
            people,
            first["cursor_contact_id"],
            first["jobs_made"],
            first["finals"],
            first["contacts_generation"],
            first["read_at"],
        )

    async def begin(self, run: Run, page: Page) -> Page:
        """The page without those who were taken out since it was read: from here on they have their jobs.

        Raises LeaseLostError.
        """
        people = [person.id for person in page.people]
        gone = await self._pool.fetchval(_sql["begin_page"], run.campaign_id, run.epoch, page.cursor, people)
        if gone is None:
            raise LeaseLostError(f"run of campaign {run.campaign_id}")
        return replace(page, people=[person for person in page.people if person.id not in gone]) if gone else page

    async def advance(self, run: Run, page: Page, *, made: int, due: Sequence[Due], enroll: bool) -> None:
        """This page is done: `made` jobs, and due rows of one step. Raises LeaseLostError."""
        advanced = await self._pool.fetchval(
            _sql["advance_run"],
            run.campaign_id,
            run.epoch,
            page.cursor,
            page.people[-1].id,
            made,
            enroll,
            due[0].trigger if due else "broadcast",
            due[0].step_identity if due else 0,
            [row.job_id for row in due],
            [row.contact_id for row in due],
            [row.due_at for row in due],
            [row.quiet for row in due],
        )
        if advanced is None:
            raise LeaseLostError(f"run of campaign {run.campaign_id}")

    async def mark_expanded(self, run: Run, page: Page) -> None:
        """The page was empty. Raises LeaseLostError."""
        arguments = (run.campaign_id, run.epoch, page.cursor, page.generation)
        if await self._pool.fetchval(_sql["mark_expanded"], *arguments) is None:
            raise LeaseLostError(f"run of campaign {run.campaign_id}")

    async def complete(self, run: Run) -> bool:
        """Complete the campaign if that is still true under its lock; exactly once, whoever asks."""
        try:
            async with self._pool.acquire() as connection, connection.transaction():
                moved = await connection.fetchrow(
                    _sql["transition"], run.workspace_id, run.campaign_id, "complete", "dispatcher"
                )
                if moved is None or moved["outcome"] != "changed":
                    raise _NotCompleteError
                if not await connection.fetchval(_sql["still_complete"], run.campaign_id, run.epoch):
                    raise _NotCompleteError
                if await connection.fetchval(_sql["finish_run"], run.campaign_id, run.epoch) is None:
                    raise _NotCompleteError
        except _NotCompleteError:
            return False
        return True

    async def new_epoch(self, run: Run) -> bool:
        """Nobody else writes to this run from here on; False when it is not ours."""
        return await self._pool.fetchval(_sql["new_epoch"], run.campaign_id, run.epoch) is not None

    async def finish(self, run: Run) -> None:
        """Nothing is left to do."""
        await self._pool.fetchval(_sql["finish_run"], run.campaign_id, run.epoch)


def _contact(row: asyncpg.Record) -> Contact:
    return Contact(
        row["id"],
        row["telegram_user_id"],
        row["handle"],
        row["first_name"],
        row["last_name"],
        row["columns"],
        row["quiet_until"],
    )
