"""Makes jobs of due rows whose time has come: counted, event, job, marked, each after the one before is acknowledged.

Killed between any two of these, the rows are read again: what is counted is not counted twice, and the log and the
gateway's admission know the ids.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

import structlog

from relaygram_dispatcher import metrics
from relaygram_dispatcher.adapters.nats_out import NatsOut
from relaygram_dispatcher.adapters.pg_due import PgDue
from relaygram_dispatcher.adapters.pg_follow import PgFollow
from relaygram_dispatcher.core.due import due_events, due_jobs, sort_rows, step_of
from relaygram_dispatcher.core.run import Contact, Content, Due, Run, Step
from relaygram_dispatcher.core.sequence import Following, next_rows

log = structlog.get_logger(__name__)


class DueRows:
    """Works one run's rows as far as there is room."""

    def __init__(self, due: PgDue, follow: PgFollow, out: NatsOut, *, page_size: int) -> None:
        self._due = due
        self._follow = follow
        self._out = out
        self._page_size = page_size

    async def work(self, run: Run, content: Content, *, followed: int, free: int) -> int:
        """Until nothing is due or `free` new jobs are made; how many that were. Raises LeaseLostError."""
        made = 0
        while True:
            fresh = max(0, min(self._page_size, free - made))
            page = await self._due.page(run, again=self._page_size, fresh=fresh)
            made += await self._work_page(run, content, page, followed)
            again = sum(row.counted for row, _ in page)
            if again < self._page_size and len(page) - again < max(fresh, 1):
                return made

    async def _work_page(
        self, run: Run, content: Content, page: Sequence[tuple[Due, Contact | None]], followed: int
    ) -> int:
        now = datetime.now(UTC)
        found = sort_rows(content, page, now=now)
        if found.put_off:
            await self._due.put_off(run, found.put_off)
            metrics.PUT_OFF.inc(len(found.put_off))
        if found.skip or found.drop:
            await self._pass_over(run, content, found.skip, found.drop, followed)
            metrics.SKIPPED.inc(len(found.skip) + len(found.drop))
        if not found.send and not found.expire:
            return 0
        begun = await self._due.begin(run, [row.job_id for row in (*found.send, *found.expire)])
        people = {row.contact_id: person for row, person in page if person is not None}
        send, expire = _still(found.send, begun), _still(found.expire, begun)
        await self._out.events(
            due_events(content, send, people, expired=False, now=now)
            + due_events(content, expire, people, expired=True, now=now)
        )
        await self._out.jobs(due_jobs(content, send, now=now))
        await self._due.mark_published(run, [row.job_id for row in (*send, *expire)])
        for row in send:
            metrics.DUE_JOBS.labels(row.trigger).inc()
        metrics.EXPIRED.inc(len(expire))
        return sum(not row.counted for row in (*send, *expire))

    async def _pass_over(
        self, run: Run, content: Content, skip: Sequence[Due], drop: Sequence[Due], followed: int
    ) -> None:
        """Rows that were no message yet: what comes after a removed step takes its place."""
        has = await self._follow.messages_of(run, [row.contact_id for row in skip]) if skip else {}
        following = [(row.contact_id, Following(row.job_id)) for row in drop]
        for row in skip:
            rows = next_rows(
                run.campaign_id, row.contact_id, step_of(content, row), sent_at=row.follows_at,
                steps=content.steps or (Step(0, 0, content.template, 0),),
                               has=has.get(row.contact_id, ()), now=run.read_at, follow_ups=False,
            )  # fmt: skip
            following.append((row.contact_id, Following(row.job_id, rows=rows)))
        await self._follow.follow(run, after=followed, until=followed, following=following, decided=False)


def _still(rows: Sequence[Due], begun: set[UUID]) -> list[Due]:
    return [row for row in rows if row.job_id in begun]
