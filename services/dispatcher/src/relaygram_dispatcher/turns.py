"""What a run's holder does in one turn, by what the run needs."""

from relaygram_dispatcher.advancing import Advancing
from relaygram_dispatcher.completion import Completion
from relaygram_dispatcher.core.duties import Duty, duty, nothing_left
from relaygram_dispatcher.core.run import Run
from relaygram_dispatcher.core.window import Window
from relaygram_dispatcher.ending import Ending
from relaygram_dispatcher.idle import Idle
from relaygram_dispatcher.reconciler import Reconciler


class Turns:
    """One piece of work at a time; which one is a rule of core/duties.py."""

    def __init__(
        self,
        advancing: Advancing,
        completion: Completion,
        ending: Ending,
        reconciler: Reconciler,
        *,
        window: Window,
        reconcile_after_seconds: float,
    ) -> None:
        self._advancing = advancing
        self._completion = completion
        self._ending = ending
        self._reconciler = reconciler
        self._window = window
        self._reconcile_after = reconcile_after_seconds
        self.idle = Idle()

    def needed(self, run: Run) -> Duty | None:
        """None: it waits."""
        return duty(
            run,
            room=self._window.room(run),
            idle_seconds=self.idle.seconds(run),
            reconcile_after_seconds=self._reconcile_after,
        )

    async def take(self, run: Run, what: Duty) -> bool:
        """Do it; is there more to do at once? Raises LeaseLostError."""
        match what:
            case Duty.ADVANCE:
                return await self._advancing.work(run)
            case Duty.COMPLETE:
                await self._completion.work(run)
            case Duty.END:
                stuck = self.idle.seconds(run) >= self._reconcile_after
                if stuck:
                    self.idle.begin_again(run)
                await self._ending.work(run, finished=nothing_left(run, stuck=stuck), stuck=stuck)
            case Duty.RECONCILE:
                self.idle.begin_again(run)
                return await self._reconciler.work(run)
        return False
