"""Starts drafts whose `scheduled_at` has come; one that is found too late stays a draft and says why."""

import asyncio

import structlog

from relaygram_common.outbox import OutboxRelay
from relaygram_common.tasks import set_or_timeout
from relaygram_dispatcher import metrics
from relaygram_dispatcher.adapters.pg_schedule import PgSchedule
from relaygram_dispatcher.core.scheduling import misfire_reason, pause_seconds
from relaygram_dispatcher.runs import TRANSIENT, RunLoop

log = structlog.get_logger(__name__)
_MOST = 100


class Schedule:
    """Awake at the next start, and each second for what is scheduled meanwhile."""

    def __init__(
        self, drafts: PgSchedule, loop: RunLoop, relay: OutboxRelay, *, poll_seconds: float, grace_seconds: float
    ) -> None:
        self._drafts = drafts
        self._loop = loop
        self._relay = relay
        self._poll_seconds = poll_seconds
        self._grace_seconds = grace_seconds
        self._wanted = asyncio.Event()

    def wake(self) -> None:
        """A campaign has changed: perhaps its time has."""
        self._wanted.set()

    async def run(self) -> None:
        """For ever, also through outages."""
        while True:
            pause = self._poll_seconds
            self._wanted.clear()
            try:
                await self._look()
                pause = pause_seconds(self._poll_seconds, await self._drafts.seconds_to_next())
            except TRANSIENT as error:
                metrics.FAILURES.labels("schedule").inc()
                log.warning("schedule.delayed", error=str(error) or type(error).__name__)
            await set_or_timeout(self._wanted, pause)

    async def _look(self) -> None:
        for draft in await self._drafts.due(most=_MOST, grace_seconds=self._grace_seconds):
            if draft.late:
                if await self._drafts.misfire(draft, misfire_reason(draft.why, self._grace_seconds)):
                    metrics.MISFIRES.inc()
                    self._relay.wake()
                    log.warning("campaign.not_started", campaign_id=draft.id, why=draft.why)
            elif await self._drafts.start(draft):
                log.info("campaign.started_by_schedule", campaign_id=draft.id)
                self._loop.wake()
                self._relay.wake()
