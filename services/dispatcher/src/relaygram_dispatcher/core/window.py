"""How far ahead of its decided messages a run may be expanded."""

from collections.abc import Mapping
from typing import Any

_SECONDS = {"messages_per_second": 1.0, "messages_per_hour": 3600.0, "messages_per_day": 86400.0}


def cap(limits: Mapping[str, Any], *, max_jobs: int, max_seconds: float) -> int:
    """Jobs that may wait: what the account sends in `max_seconds`, at most `max_jobs`, at least one."""
    rates = [limits[name] / seconds for name, seconds in _SECONDS.items() if limits.get(name) is not None]
    return max(1, min([max_jobs, *(int(rate * max_seconds) for rate in rates)]))


def room(cap: int, *, jobs_made: int, finals: int, page_size: int) -> int:
    """How many jobs to make now; 0 while the room is too small for a page to be worth its statements."""
    free = min(cap - (jobs_made - finals), page_size)
    return free if free >= min(page_size, max(1, cap // 4)) else 0
