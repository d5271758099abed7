"""The run loop: each second, or when rung, look at every run this dispatcher holds and do what it needs next."""

import asyncio
import time

import structlog
from nats.errors import Error as NatsError

from relaygram_common.database.pool import TRANSIENT_ERRORS
from relaygram_common.jetstream.publisher import PublishError
from relaygram_common.tasks import cancel_and_wait, set_or_timeout
from relaygram_dispatcher import metrics
from relaygram_dispatcher.adapters.pg_runs import LeaseLostError, PgRuns
from relaygram_dispatcher.core.duties import Duty
from relaygram_dispatcher.core.run import Run
from relaygram_dispatcher.core.scheduling import pause_seconds
from relaygram_dispatcher.core.waiting import seconds_to_next
from relaygram_dispatcher.turns import Turns
from relaygram_dispatcher.waiting import Waiting

log = structlog.get_logger(__name__)

TRANSIENT: tuple[type[BaseException], ...] = (*TRANSIENT_ERRORS, PublishError, NatsError)
_MOST_RUNS = 2000  # leases taken or renewed in one look
_FAULT_PAUSE_SECONDS = 30.0
# Between two looks, and three times as long as the last one took: a busy log rings more often than anybody could look.
_LEAST_PAUSE_SECONDS = 0.05


class RunLoop:
    """One piece of work a run at a time, several runs at once."""

    def __init__(
        self, runs: PgRuns, turns: Turns, waiting: Waiting, *, poll_seconds: float, concurrent_runs: int
    ) -> None:
        self._runs = runs
        self._turns = turns
        self._waiting = waiting
        self._poll_seconds = poll_seconds
        # First come, first served: runs take turns. Who wrote to us waits for no broadcast.
        self._slots = {mode: asyncio.Semaphore(concurrent_runs) for mode in ("broadcast", "auto_reply")}
        self._working: dict[int, asyncio.Task[None]] = {}
        self._held: list[Run] = []
        self._followed: set[int] = set()
        self._paused_until: dict[int, float] = {}
        self._wanted = asyncio.Event()

    def wake(self) -> None:
        """Something changed: look now."""
        self._wanted.set()

    def log_changed(self, campaign_id: int) -> None:
        """The log has news of a campaign; most campaigns' is of no concern here."""
        if campaign_id in self._followed:
            self._wanted.set()

    async def run(self) -> None:
        """For ever, also through outages."""
        while True:
            self._wanted.clear()
            began = time.monotonic()
            try:
                await self._look()
            except TRANSIENT as error:
                metrics.FAILURES.labels("look").inc()
                log.warning("runs.delayed", error=str(error) or type(error).__name__)
            took = time.monotonic() - began
            await asyncio.sleep(min(max(_LEAST_PAUSE_SECONDS, 3 * took), self._poll_seconds))
            pause = pause_seconds(self._poll_seconds, seconds_to_next(self._held))
            await set_or_timeout(self._wanted, pause)

    async def stop(self) -> None:
        """End what is under way; others may go on at once."""
        await cancel_and_wait(self._working.values())
        try:
            async with asyncio.timeout(2.0):
                await self._runs.release()
        except TRANSIENT as error:
            log.warning("runs.not_released", error=str(error) or type(error).__name__)

    async def _look(self) -> None:
        # What these do while the runs are read may be newer than what is read: their next work waits for the next look,
        # or a run would be expanded once more by a count of jobs that is out of date.
        at_work = set(self._working)
        self._held = await self._runs.hold([run.campaign_id for run in self._held], most=_MOST_RUNS)
        self._followed = {run.campaign_id for run in self._held if run.has_steps or run.has_due}
        self._turns.idle.keep({run.campaign_id for run in self._held})
        for run in self._held:
            if (
                run.campaign_id not in at_work
                and run.campaign_id not in self._working
                and self._paused_until.get(run.campaign_id, 0.0) <= time.monotonic()
            ):
                what = self._turns.needed(run)
                if what is not None:
                    work = self._in_turn(run, what)
                    self._working[run.campaign_id] = asyncio.create_task(work, name=f"run-{run.campaign_id}")
        await self._waiting.note(self._held)

    async def _in_turn(self, run: Run, what: Duty) -> None:
        more = False
        try:
            async with self._slots[run.mode]:
                more = await self._turns.take(run, what)
        except LeaseLostError:
            log.warning("run.lost", campaign_id=run.campaign_id)
        except TRANSIENT as error:
            metrics.FAILURES.labels(what.value).inc()
            told = str(error) or type(error).__name__
            log.warning("run.delayed", campaign_id=run.campaign_id, work=what.value, error=told)
        except Exception:
            # One campaign's fault must not hold up all others; it is tried again, not in a circle.
            metrics.FAILURES.labels(what.value).inc()
            self._paused_until[run.campaign_id] = time.monotonic() + _FAULT_PAUSE_SECONDS
            log.exception("run.failed", campaign_id=run.campaign_id, work=what.value)
        finally:
            del self._working[run.campaign_id]
            if more:
                self.wake()
