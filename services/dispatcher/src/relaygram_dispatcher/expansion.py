"""Turns a run's people into jobs, page by page: noted, event, job, cursor, each after the one before is acknowledged.
Who has quiet hours now, and everybody of a sequence, gets a due row instead, by the cursor's transaction.

Killed between any two of these, the page is done again with the same ids: the log and the gateway's admission know
them.
"""

from datetime import UTC, datetime

import structlog

from relaygram_dispatcher import metrics
from relaygram_dispatcher.adapters.nats_out import NatsOut
from relaygram_dispatcher.adapters.pg_runs import Page, PgRuns
from relaygram_dispatcher.core.pages import first_rows, jobs_of, queued_events
from relaygram_dispatcher.core.run import Content, Run
from relaygram_dispatcher.core.window import Window

log = structlog.get_logger(__name__)


class Expansion:
    """Expands one run as far as it may go now."""

    def __init__(self, runs: PgRuns, out: NatsOut, *, window: Window) -> None:
        self._runs = runs
        self._out = out
        self._window = window

    async def work(self, run: Run, content: Content, *, made: int) -> bool:
        """Until everybody has a job or a due row, the window is full, or the campaign is halted; was anything done?
        `made`: jobs that were made since the run was read. Raises LeaseLostError.
        """
        size, done, enrolled = self._window.room(run, more=made), False, 0
        while size > 0:
            page = await self._runs.page(run, size)
            if page is None:
                return done
            done = True
            if not page.people:
                await self._runs.mark_expanded(run, page)
                log.info("run.expanded", campaign_id=run.campaign_id, jobs_made=page.jobs_made)
                return done
            page = await self._runs.begin(run, page)
            ahead = 0
            if page.people:
                ahead = await self._work_page(run, content, page)
                enrolled += ahead if content.steps else 0
                ahead = enrolled if content.steps else ahead
            size = self._window.room(run, more=page.jobs_made - run.jobs_made - (page.finals - run.finals) + ahead)
        return done

    async def _work_page(self, run: Run, content: Content, page: Page) -> int:
        """How many of the page have, or will have in a moment, a job."""
        now = datetime.now(UTC)
        awake = [person for person in page.people if person.quiet_until is None]
        if content.steps:
            due = first_rows(run.campaign_id, content.steps[0], page.people, now=page.read_at)
            await self._runs.advance(run, page, made=0, due=due, enroll=True)
        else:
            events = queued_events(page.content, awake, now=now)
            await self._out.events(events)
            await self._out.jobs(jobs_of(page.content, events))
            quiet = [person for person in page.people if person.quiet_until is not None]
            due = first_rows(run.campaign_id, None, quiet, now=page.read_at)
            await self._runs.advance(run, page, made=len(awake), due=due, enroll=False)
            metrics.JOBS.inc(len(awake))
        metrics.PUT_OFF.inc(len(page.people) - len(awake))
        return len(awake)
