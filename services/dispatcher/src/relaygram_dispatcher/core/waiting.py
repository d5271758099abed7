"""What a running campaign waits for, in a word, and when it sends next."""

from collections.abc import Sequence
from datetime import datetime

from relaygram_dispatcher.core.run import Run


def waiting(run: Run) -> tuple[datetime | None, str | None]:
    """next_send_at and waiting_for; both None while nothing keeps it. Whatever keeps the account keeps what is due."""
    moment = run.next_due_at
    is_due = run.ahead > 0 or not run.expanded or (moment is not None and moment <= run.read_at)
    if is_due and run.account_waiting_for is not None:
        return run.account_waits_until, run.account_waiting_for
    if not is_due and moment is not None:
        return moment, "quiet_hours" if run.next_is_quiet else "delay"
    return None, None


def lateness_seconds(run: Run) -> float:
    """How long its oldest due row has waited beyond its time; paused runs wait as they should."""
    if run.status != "running" or run.next_due_at is None:
        return 0.0
    return max(0.0, (run.read_at - run.next_due_at).total_seconds())


def seconds_to_next(runs: Sequence[Run]) -> float | None:
    """Until the next due row's time; rows whose time has come wait for something else."""
    nexts = [
        (run.next_due_at - run.read_at).total_seconds()
        for run in runs
        if run.status == "running" and run.next_due_at is not None and run.next_due_at > run.read_at
    ]
    return min(nexts, default=None)
