"""The end of a stopped or deleted campaign: nothing of it waits any more, and each of its messages has an outcome.

The state is set already, so gateways admit none of its jobs. What the ledger holds as `sending` is the gateway's.
"""

from dataclasses import replace
from datetime import UTC, datetime

import structlog

from relaygram_common.contracts.delivery import DeliveryEvent
from relaygram_dispatcher import metrics
from relaygram_dispatcher.adapters.nats_out import NatsOut
from relaygram_dispatcher.adapters.nats_queues import NatsQueues
from relaygram_dispatcher.adapters.pg_due import PgDue
from relaygram_dispatcher.adapters.pg_log import PgLog
from relaygram_dispatcher.adapters.pg_runs import LeaseLostError, PgRuns
from relaygram_dispatcher.core.pages import discarded_event, event_of_ledger, job_again
from relaygram_dispatcher.core.run import Content, Pending, Run

log = structlog.get_logger(__name__)
_ROWS_PER_PAGE = 10_000


class Ending:
    """Called again each second until the log has no pending row of the campaign."""

    def __init__(self, runs: PgRuns, pg_log: PgLog, due: PgDue, queues: NatsQueues, out: NatsOut) -> None:
        self._runs = runs
        self._log = pg_log
        self._due = due
        self._queues = queues
        self._out = out
        self._fenced: set[int] = set()

    async def work(self, run: Run, *, finished: bool, stuck: bool) -> None:
        """Discard what is left; `finished`: the log says that nothing is; `stuck`: nothing has happened for a while.

        Raises LeaseLostError.
        """
        if run.campaign_id not in self._fenced:
            # Whoever still believes to hold the run makes no jobs any more, so this purge is the last one needed.
            if not await self._runs.new_epoch(run):
                raise LeaseLostError(f"run of campaign {run.campaign_id}")
            run = replace(run, epoch=run.epoch + 1)
            await self._due.clear(run, page=_ROWS_PER_PAGE)
            self._fenced.add(run.campaign_id)
            await self._queues.purge(f"send.job.{run.account_id}.{run.campaign_id}")
        if finished:
            await self._runs.finish(run)
            self._fenced.discard(run.campaign_id)
            log.info("run.ended", campaign_id=run.campaign_id)
        else:
            waiting = await self._queues.waiting(run.account_id, run.campaign_id) if stuck else 0
            await self.discard(run, ask_again=stuck and not waiting)

    async def discard(self, run: Run, *, ask_again: bool) -> None:
        """Give every undecided message its outcome: the ledger's, or `discarded`.

        What the ledger holds as `sending` is the gateway's to find out; with `ask_again` it gets the job again, since
        the one it had may have died with its process and been purged.
        """
        content = await self._log.content(run)
        code, now = "DELETED" if run.deleted else "STOPPED", datetime.now(UTC)
        async for page in self._log.pending(run):
            events = [event for message in page if (event := _outcome(content, message, code, now)) is not None]
            await self._out.events(events)
            if ask_again:
                await self._out.jobs(
                    [job_again(content, message) for message in page if message.ledger_state == "sending"]
                )


def _outcome(content: Content, message: Pending, code: str, now: datetime) -> DeliveryEvent | None:
    if message.ledger_state is None:
        metrics.DISCARDED.inc()
        return discarded_event(content, message, code=code, now=now)
    if message.ledger_state == "sending":
        return None
    metrics.RETOLD.inc()
    return event_of_ledger(content, message)
