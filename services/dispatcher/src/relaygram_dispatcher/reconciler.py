"""Heals what got lost on the way: a stream, a queue, an event between the ledger and the log.

Never from a missing row alone: a job that is published again is judged by the gateway's admission, which answers from
the ledger what is decided already. So reconciling too often costs time and nothing else.
"""

from datetime import UTC, datetime

import structlog

from relaygram_dispatcher import metrics
from relaygram_dispatcher.adapters.nats_out import NatsOut
from relaygram_dispatcher.adapters.nats_queues import NatsQueues
from relaygram_dispatcher.adapters.pg_due import PgDue
from relaygram_dispatcher.adapters.pg_log import PgLog
from relaygram_dispatcher.core.pages import job_again, jobs_of, queued_events
from relaygram_dispatcher.core.run import Run
from relaygram_dispatcher.following import Follower

log = structlog.get_logger(__name__)
_MOST_ROWS = 20_000


class Reconciler:
    """For a running campaign that should move and does not."""

    def __init__(self, pg_log: PgLog, due: PgDue, follower: Follower, queues: NatsQueues, out: NatsOut) -> None:
        self._log = pg_log
        self._due = due
        self._follower = follower
        self._queues = queues
        self._out = out

    async def work(self, run: Run) -> bool:
        """Publish the jobs of undecided messages again, unless they are waiting in their queue; was there anything?

        Those of due rows become due once more, for their own loop. Raises LeaseLostError.
        """
        if await self._queues.waiting(run.account_id, run.campaign_id):
            return False
        content, again = await self._log.content(run), 0
        current = await self._due.content(run)
        if current is not None:
            again += await self._follower.stale(run, current)
            again += await self._due.publish_again(run, most=_MOST_ROWS)
        async for page in self._log.pending(run):
            lost = [job_again(content, message) for message in page if not message.has_due]
            await self._out.jobs(lost)
            again += len(lost)
        if run.rows < run.jobs_made:
            async for people in self._log.unlogged(run):
                events = queued_events(content, people, now=datetime.now(UTC))
                await self._out.events(events)
                await self._out.jobs(jobs_of(content, events))
                again += len(people)
        await self._log.note_reconciled(run)
        metrics.JOBS_AGAIN.inc(again)
        log.warning("run.reconciled", campaign_id=run.campaign_id, jobs=again)
        return again > 0
