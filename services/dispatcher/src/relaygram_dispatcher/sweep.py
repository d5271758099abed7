"""Every half minute: queues that nobody will ever work off, ended campaigns whose log got a row after all, test sends
whose job may have been lost, and what people wrote long ago."""

import asyncio

import structlog

from relaygram_dispatcher import metrics
from relaygram_dispatcher.adapters.nats_queues import NatsQueues
from relaygram_dispatcher.adapters.pg_due import PgDue
from relaygram_dispatcher.adapters.pg_inbound import PgInbound
from relaygram_dispatcher.adapters.pg_log import PgLog
from relaygram_dispatcher.core.sweeping import judge, queue_of
from relaygram_dispatcher.ending import Ending
from relaygram_dispatcher.runs import TRANSIENT

log = structlog.get_logger(__name__)
_MOST_RUNS = 100


class Sweep:
    """Any number of dispatchers may sweep; each step is harmless when done twice."""

    def __init__(
        self,
        pg_log: PgLog,
        queues: NatsQueues,
        ending: Ending,
        inbound: PgInbound,
        due: PgDue,
        *,
        every_seconds: float,
    ) -> None:
        self._log = pg_log
        self._inbound = inbound
        self._due = due
        self._queues = queues
        self._ending = ending
        self._every_seconds = every_seconds

    async def run(self) -> None:
        """For ever, also through outages."""
        while True:
            try:
                await self._sweep_queues()
                metrics.JOBS_AGAIN.inc(await self._log.relay_singles_again())
                for run in await self._log.ended_with_pending(most=_MOST_RUNS):
                    await self._ending.discard(run, ask_again=False)
                await self._inbound.prune()
                await self._due.prune()
            except TRANSIENT as error:
                metrics.FAILURES.labels("sweep").inc()
                log.warning("sweep.delayed", error=str(error) or type(error).__name__)
            await asyncio.sleep(self._every_seconds)

    async def _sweep_queues(self) -> None:
        waiting = await self._queues.all()
        fates = await self._log.fates({queue[1] for subject in waiting if (queue := queue_of(subject))})
        for subject in waiting:
            verdict = judge(subject, fates)
            if verdict is not None:
                garbage, jobs = await self._queues.put_away(subject, reason_of=verdict.reason_of)
                metrics.SWEPT.labels("garbage").inc(garbage)
                metrics.SWEPT.labels("ended").inc(jobs)
