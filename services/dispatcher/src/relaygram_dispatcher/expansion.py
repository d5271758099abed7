"""Turns a run's people into jobs, page by page: noted, event, job, cursor, each after the one before is acknowledged.

Killed between any two of these, the page is done again with the same ids: the log and the gateway's admission know
them.
"""

from datetime import UTC, datetime

import structlog

from relaygram_dispatcher import metrics
from relaygram_dispatcher.adapters.nats_out import NatsOut
from relaygram_dispatcher.adapters.pg_runs import Page, PgRuns
from relaygram_dispatcher.core.pages import jobs_of, queued_events
from relaygram_dispatcher.core.run import Run
from relaygram_dispatcher.core.window import cap, room

log = structlog.get_logger(__name__)


class Expansion:
    """Expands one run as far as it may go now."""

    def __init__(
        self, runs: PgRuns, out: NatsOut, *, page_size: int, max_jobs_ahead: int, max_seconds_ahead: float
    ) -> None:
        self._runs = runs
        self._out = out
        self._page_size = page_size
        self._max_jobs_ahead = max_jobs_ahead
        self._max_seconds_ahead = max_seconds_ahead

    def room(self, run: Run) -> int:
        """Jobs that may be made now."""
        return self._room(run, run.jobs_made, run.finals)

    async def work(self, run: Run) -> None:
        """Until everybody has a job, the window is full, or the campaign is halted. Raises LeaseLostError."""
        size = self.room(run)
        while size > 0:
            page = await self._runs.page(run, size)
            if page is None:
                return
            if not page.people:
                await self._runs.mark_expanded(run, page)
                log.info("run.expanded", campaign_id=run.campaign_id, jobs_made=page.jobs_made)
                return
            page = await self._runs.begin(run, page)
            if page.people:
                await self._make_jobs(run, page)
            size = self._room(run, page.jobs_made + len(page.people), page.finals)

    async def _make_jobs(self, run: Run, page: Page) -> None:
        events = queued_events(page.content, page.people, now=datetime.now(UTC))
        await self._out.events(events)
        await self._out.jobs(jobs_of(page.content, events))
        await self._runs.advance(run, page)
        metrics.JOBS.inc(len(events))

    def _room(self, run: Run, jobs_made: int, finals: int) -> int:
        most = cap(run.limits, max_jobs=self._max_jobs_ahead, max_seconds=self._max_seconds_ahead)
        return room(most, jobs_made=jobs_made, finals=finals, page_size=self._page_size)
