"""Completes a campaign when the log has the last outcome: whoever reads `completed` reads final counters."""

import structlog

from relaygram_common.outbox import OutboxRelay
from relaygram_dispatcher import metrics
from relaygram_dispatcher.adapters.pg_due import PgDue
from relaygram_dispatcher.adapters.pg_runs import PgRuns
from relaygram_dispatcher.core.run import Run

log = structlog.get_logger(__name__)
_PEOPLE_PER_PAGE = 10_000


class Completion:
    """Judged once more under the campaign's lock, in the transaction that moves it."""

    def __init__(self, runs: PgRuns, due: PgDue, relay: OutboxRelay) -> None:
        self._runs = runs
        self._due = due
        self._relay = relay

    async def work(self, run: Run) -> None:
        """Complete it, or leave it as it is when something came up meanwhile."""
        if await self._runs.complete(run):
            self._relay.wake()
            metrics.COMPLETED.inc()
            await self._due.clear(run, page=_PEOPLE_PER_PAGE)
            log.info("campaign.completed", campaign_id=run.campaign_id, jobs_made=run.jobs_made)
