"""What a run needs next."""

from enum import Enum

from relaygram_dispatcher.core.run import Run


class Duty(Enum):
    """One thing at a time, by the holder of the run's lease."""

    EXPAND = "expand"
    COMPLETE = "complete"
    END = "end"  # stopped or deleted: discard what is not on its way yet
    RECONCILE = "reconcile"


def duty(run: Run, *, room: int, idle_seconds: float, reconcile_after_seconds: float) -> Duty | None:
    """None: wait. `idle_seconds` is how long nothing has happened."""
    if run.deleted or run.status in ("stopped", "completed"):
        return Duty.END
    if run.status != "running":
        return None
    if not run.expanded and room > 0:
        return Duty.EXPAND
    if run.expanded and not run.importing and run.finals == run.jobs_made:
        return Duty.COMPLETE
    if idle_seconds >= reconcile_after_seconds and run.finals < run.jobs_made:
        return Duty.RECONCILE
    return None


def nothing_left(run: Run, *, stuck: bool) -> bool:
    """Each message of an ended run has its outcome. Rows still on their way are waited for, but not for ever: should
    one come later, the sweep finds it."""
    return run.pending == 0 and (run.rows >= run.jobs_made or stuck)
