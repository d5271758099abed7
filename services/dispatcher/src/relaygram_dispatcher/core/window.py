"""How far ahead of its decided messages a run may work."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from relaygram_dispatcher.core.run import Run

_SECONDS = {"messages_per_second": 1.0, "messages_per_hour": 3600.0, "messages_per_day": 86400.0}


def cap(limits: Mapping[str, Any], *, max_jobs: int, max_seconds: float) -> int:
    """Jobs that may wait: what the account sends in `max_seconds`, at most `max_jobs`, at least one."""
    rates = [limits[name] / seconds for name, seconds in _SECONDS.items() if limits.get(name) is not None]
    return max(1, min([max_jobs, *(int(rate * max_seconds) for rate in rates)]))


def room(cap: int, *, jobs_made: int, finals: int, page_size: int) -> int:
    """How many jobs to make now; 0 while the room is too small for a page to be worth its statements."""
    free = min(cap - (jobs_made - finals), page_size)
    return free if free >= min(page_size, max(1, cap // 4)) else 0


@dataclass(frozen=True, slots=True)
class Window:
    """The installation's bounds, applied to a run."""

    page_size: int
    max_jobs: int
    max_seconds: float

    def cap(self, run: Run) -> int:
        """Jobs of this run that may wait."""
        return cap(run.limits, max_jobs=self.max_jobs, max_seconds=self.max_seconds)

    def free(self, run: Run) -> int:
        """Jobs that may be made now; jobs that are put off wait elsewhere."""
        return max(0, self.cap(run) - run.ahead)

    def room(self, run: Run, *, more: int = 0) -> int:
        """The same for a page, after `more` jobs; 0 while it is not worth one. Auto-replies wait for no page."""
        if run.mode != "broadcast":
            return min(self.free(run) - more, self.page_size)
        return room(self.cap(run), jobs_made=run.ahead + more, finals=0, page_size=self.page_size)
