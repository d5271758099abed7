"""Starts drafts whose `scheduled_at` has come."""

import asyncio

import structlog

from relaygram_common.outbox import OutboxRelay
from relaygram_dispatcher import metrics
from relaygram_dispatcher.adapters.pg_runs import PgRuns
from relaygram_dispatcher.runs import TRANSIENT, RunLoop

log = structlog.get_logger(__name__)
_MOST = 100


class Schedule:
    """A look each second; the state table decides, so several may look at once."""

    def __init__(self, runs: PgRuns, loop: RunLoop, relay: OutboxRelay, *, poll_seconds: float) -> None:
        self._runs = runs
        self._loop = loop
        self._relay = relay
        self._poll_seconds = poll_seconds

    async def run(self) -> None:
        """For ever, also through outages."""
        while True:
            try:
                for campaign_id in await self._runs.start_due(most=_MOST):
                    log.info("campaign.started_by_schedule", campaign_id=campaign_id)
                    self._loop.wake()
                    self._relay.wake()
            except TRANSIENT as error:
                metrics.FAILURES.labels("schedule").inc()
                log.warning("schedule.delayed", error=str(error) or type(error).__name__)
            await asyncio.sleep(self._poll_seconds)
