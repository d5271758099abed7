"""The run loop: each second, or when rung, look at every run this dispatcher holds and do what it needs next."""

import asyncio
import time

import structlog
from nats.errors import Error as NatsError

from relaygram_common.database.pool import TRANSIENT_ERRORS
from relaygram_common.jetstream.publisher import PublishError
from relaygram_common.tasks import cancel_and_wait
from relaygram_dispatcher import metrics
from relaygram_dispatcher.adapters.pg_runs import LeaseLostError, PgRuns
from relaygram_dispatcher.completion import Completion
from relaygram_dispatcher.core.duties import Duty, duty, nothing_left
from relaygram_dispatcher.core.run import Run
from relaygram_dispatcher.ending import Ending
from relaygram_dispatcher.expansion import Expansion
from relaygram_dispatcher.reconciler import Reconciler

log = structlog.get_logger(__name__)

TRANSIENT: tuple[type[BaseException], ...] = (*TRANSIENT_ERRORS, PublishError, NatsError)
_MOST_RUNS = 2000  # leases taken or renewed in one look
_FAULT_PAUSE_SECONDS = 30.0


class RunLoop:
    """One piece of work a run at a time, several runs at once."""

    def __init__(
        self,
        runs: PgRuns,
        expansion: Expansion,
        completion: Completion,
        ending: Ending,
        reconciler: Reconciler,
        *,
        poll_seconds: float,
        reconcile_after_seconds: float,
        concurrent_runs: int,
    ) -> None:
        self._runs = runs
        self._expansion = expansion
        self._completion = completion
        self._ending = ending
        self._reconciler = reconciler
        self._poll_seconds = poll_seconds
        self._reconcile_after = reconcile_after_seconds
        self._turns = asyncio.Semaphore(concurrent_runs)  # first come, first served: runs take turns
        self._working: dict[int, asyncio.Task[None]] = {}
        self._held: list[Run] = []
        self._still_since: dict[int, tuple[tuple[int, int], float]] = {}
        self._paused_until: dict[int, float] = {}
        self._wanted = asyncio.Event()

    def wake(self) -> None:
        """Something changed: look now."""
        self._wanted.set()

    async def run(self) -> None:
        """For ever, also through outages."""
        while True:
            self._wanted.clear()
            try:
                await self._look()
            except TRANSIENT as error:
                metrics.FAILURES.labels("look").inc()
                log.warning("runs.delayed", error=str(error) or type(error).__name__)
            try:
                async with asyncio.timeout(self._poll_seconds):
                    await self._wanted.wait()
            except TimeoutError:
                continue

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
        metrics.RUNS.set(len(self._held))
        mine = {run.campaign_id for run in self._held}
        self._still_since = {campaign: since for campaign, since in self._still_since.items() if campaign in mine}
        for run in self._held:
            if (
                run.campaign_id not in at_work
                and run.campaign_id not in self._working
                and self._paused_until.get(run.campaign_id, 0.0) <= time.monotonic()
            ):
                self._begin(run)

    def _begin(self, run: Run) -> None:
        idle = self._idle_seconds(run)
        what = duty(
            run, room=self._expansion.room(run), idle_seconds=idle, reconcile_after_seconds=self._reconcile_after
        )
        if what is not None:
            work = self._in_turn(run, what, idle)
            self._working[run.campaign_id] = asyncio.create_task(work, name=f"run-{run.campaign_id}")

    async def _in_turn(self, run: Run, what: Duty, idle_seconds: float) -> None:
        try:
            async with self._turns:
                await self._do(run, what, idle_seconds)
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

    async def _do(self, run: Run, what: Duty, idle_seconds: float) -> None:
        match what:
            case Duty.EXPAND:
                await self._expansion.work(run)
            case Duty.COMPLETE:
                await self._completion.work(run)
            case Duty.END:
                stuck = idle_seconds >= self._reconcile_after
                if stuck:
                    self._still_since[run.campaign_id] = (run.progress, time.monotonic())  # not again each second
                await self._ending.work(run, finished=nothing_left(run, stuck=stuck), stuck=stuck)
            case Duty.RECONCILE:
                self._still_since[run.campaign_id] = (run.progress, time.monotonic())
                await self._reconciler.work(run)

    def _idle_seconds(self, run: Run) -> float:
        now = time.monotonic()
        progress, since = self._still_since.get(run.campaign_id, (None, now))
        if progress != run.progress:
            self._still_since[run.campaign_id] = (run.progress, since := now)
        return now - since
