"""What a run needs next."""

from datetime import datetime
from enum import Enum

from relaygram_dispatcher.core.run import Run


class Duty(Enum):
    """One thing at a time, by the holder of the run's lease."""

    ADVANCE = "advance"  # follow the log, make jobs of what is due and of the next people
    COMPLETE = "complete"
    END = "end"  # stopped or deleted: discard what is not on its way yet
    RECONCILE = "reconcile"


def duty(run: Run, *, room: int, idle_seconds: float, reconcile_after_seconds: float) -> Duty | None:
    """None: wait. `idle_seconds` is how long nothing has happened."""
    if run.deleted or run.status in ("stopped", "completed"):
        return Duty.END
    if run.status != "running":
        return None
    if idle_seconds >= reconcile_after_seconds and (run.ahead > 0 or run.has_published):
        return Duty.RECONCILE
    if to_plan(run) or to_follow(run) or (not run.expanded and room > 0) or (work_is_due(run, room=room)):
        return Duty.ADVANCE
    if complete(run):
        return Duty.COMPLETE
    return None


def to_plan(run: Run) -> bool:
    """Delays or quiet hours have changed since due times were set."""
    return run.plan_changes != run.planned_changes


def to_follow(run: Run) -> bool:
    """The log has news, and something may follow from it. A plain broadcast's log is not read."""
    return (run.has_steps or run.has_due) and run.followed_revision < run.last_revision


def work_is_due(run: Run, *, room: int) -> bool:
    """Due rows whose time has come; those that are counted already take no room."""
    return _past(run.again_at, run) or (room > 0 and _past(run.next_due_at, run))


def complete(run: Run) -> bool:
    """Everybody has got everything, and the log says so; judged once more when the campaign is locked."""
    return (
        run.mode == "broadcast"
        and run.expanded
        and not run.importing
        and not run.has_due
        and not to_follow(run)
        and run.finals >= run.jobs_made
        and run.pending == 0
    )


def nothing_left(run: Run, *, stuck: bool) -> bool:
    """Each message of an ended run has its outcome. Rows still on their way are waited for, but not for ever: should
    one come later, the sweep finds it."""
    return run.pending == 0 and (run.rows >= run.jobs_made or stuck)


def _past(moment: datetime | None, run: Run) -> bool:
    return moment is not None and moment <= run.read_at
