"""Due rows in PostgreSQL: pages of them, and each step they take under the run's epoch."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from relaygram_common.database.statements import Statements
from relaygram_dispatcher.adapters.pg_runs import LeaseLostError
from relaygram_dispatcher.core.pages import sender_name
from relaygram_dispatcher.core.run import Contact, Content, Due, Run, Step

_sql = Statements("relaygram_dispatcher")
_PRUNE_AT_ONCE = 1000


class PgDue:
    """Every write names the epoch it belongs to and raises LeaseLostError in another one."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        self._pool = pool

    async def content(self, run: Run) -> Content | None:
        """What the run's messages share, with its steps; None when it is not running any more."""
        row = await self._pool.fetchrow(_sql["campaign_content"], run.campaign_id)
        if row is None:
            return None
        return Content(
            workspace_id=run.workspace_id,
            campaign_id=run.campaign_id,
            account_id=run.account_id,
            run_id=run.run_id,
            template=row["template"],
            sender=sender_name(row["account_handle"], row["account_user_id"]),
            reference=row["reference"],
            entity_id=row["entity_id"],
            application_id=row["application_id"],
            content_type=row["content_type"],
            scheduled=row["scheduled"],
            steps=tuple(
                Step(
                    identity=step["identity"],
                    position=step["position"],
                    body=step["body"],
                    delay_seconds=step["delay_seconds"],
                    follow_ups=tuple((float(each["after_hours"]), each["body"]) for each in step["followups"]),
                    content_type=step["content_type"],
                )
                for step in row["steps"]
            ),
        )

    async def page(self, run: Run, *, again: int, fresh: int) -> list[tuple[Due, Contact | None]]:
        """Rows whose time has come, with their people; None: the person was taken out."""
        rows = await self._pool.fetch(_sql["due_page"], run.campaign_id, again, fresh)
        return [(due_of(row), _contact(row)) for row in rows]

    async def begin(self, run: Run, jobs: Sequence[UUID]) -> set[UUID]:
        """From here on they count; those that are still there."""
        begun = await self._pool.fetchval(_sql["begin_due"], run.campaign_id, run.epoch, list(jobs))
        _demand(run, begun is not None)
        return set(begun)

    async def mark_published(self, run: Run, jobs: Sequence[UUID]) -> None:
        """Event and job are acknowledged."""
        _demand(run, await self._pool.fetchval(_sql["mark_published"], run.campaign_id, run.epoch, list(jobs)))

    async def put_off(self, run: Run, rows: Sequence[tuple[Due, datetime]]) -> None:
        """Until quiet hours end."""
        jobs, until = [row.job_id for row, _ in rows], [moment for _, moment in rows]
        _demand(run, await self._pool.fetchval(_sql["put_off"], run.campaign_id, run.epoch, jobs, until))

    async def publish_again(self, run: Run, *, most: int) -> int:
        """Undecided ones whose job may be lost; how many."""
        count = await self._pool.fetchval(_sql["publish_again"], run.campaign_id, run.epoch, most)
        _demand(run, count is not None)
        return int(count)

    async def plan_page(self, run: Run, after: int, *, people: int) -> int:
        """Set the due times of the next people anew; the last of them, 0 at the end."""
        until = await self._pool.fetchval(_sql["plan_page"], run.campaign_id, run.epoch, after, people)
        _demand(run, until is not None)
        return int(until)

    async def note_plan(self, run: Run) -> None:
        """Due times are as they were wanted when the run was read."""
        noted = await self._pool.fetchval(_sql["note_plan"], run.campaign_id, run.epoch, run.plan_changes)
        _demand(run, noted is not None)

    async def clear(self, run: Run, *, page: int) -> None:
        """Nothing is due any more."""
        while left := await self._pool.fetchval(_sql["clear_page"], run.campaign_id, run.epoch, page):
            if left < page:
                return
        _demand(run, left is not None)

    async def prune(self) -> int:
        """A few of those whose campaign ended without being cleared."""
        return int(await self._pool.fetchval(_sql["prune_enrollments"], _PRUNE_AT_ONCE))

    async def note_waiting(self, run: Run, next_send_at: datetime | None, waiting_for: str | None) -> None:
        """For people who wonder."""
        await self._pool.execute(_sql["note_waiting"], run.campaign_id, next_send_at, waiting_for)


def due_of(row: asyncpg.Record) -> Due:
    """A row of dispatch.due."""
    return Due(
        job_id=row["job_id"],
        contact_id=row["contact_id"],
        trigger=row["trigger"],
        step_identity=row["step_identity"],
        step=row["step"],
        follow_up=row["follow_up"],
        due_at=row["due_at"],
        follows_at=row["follows_at"],
        triggered_by_message_id=row.get("triggered_by_message_id"),
        expires_at=row.get("expires_at"),
        counted=row.get("counted", True),
    )


def _contact(row: asyncpg.Record) -> Contact | None:
    if row["id"] is None:
        return None
    names = (row["first_name"], row["last_name"], row["columns"], row["quiet_until"])
    return Contact(row["id"], row["telegram_user_id"], row["handle"], *names)


def _demand(run: Run, ours: bool) -> None:
    if not ours:
        raise LeaseLostError(f"run of campaign {run.campaign_id}")
