"""Tells people what a running campaign waits for, when that has changed; and operators, all the time."""

import time
from collections import Counter
from collections.abc import Sequence

from relaygram_dispatcher import metrics
from relaygram_dispatcher.adapters.pg_due import PgDue
from relaygram_dispatcher.core.duties import to_follow
from relaygram_dispatcher.core.run import Run
from relaygram_dispatcher.core.waiting import lateness_seconds, waiting

# The first due row changes with each one that is sent: nobody reads that fast, and others need the campaign's row.
_SECONDS_BETWEEN_NOTES = 1.0
_MOST_NOTES = 100  # in one look: leases must be renewed in time; the rest has its turn in the next one


class Waiting:
    """After each look at the runs."""

    def __init__(self, due: PgDue) -> None:
        self._due = due
        self._shown: set[str] = set()
        self._noted_at: dict[int, float] = {}

    async def note(self, runs: Sequence[Run]) -> None:
        """Write what differs from what is written."""
        why: Counter[str] = Counter()
        notes = 0
        for run in runs:
            if run.status != "running" or run.deleted:
                continue
            next_send_at, waiting_for = waiting(run)
            if waiting_for is not None:
                why[waiting_for] += 1
            changed = (next_send_at, waiting_for) != (run.next_send_at, run.waiting_for)
            if (
                changed
                and notes < _MOST_NOTES
                and time.monotonic() - self._noted_at.get(run.campaign_id, 0.0) >= _SECONDS_BETWEEN_NOTES
            ):
                notes += 1
                self._noted_at[run.campaign_id] = time.monotonic()
                await self._due.note_waiting(run, next_send_at, waiting_for)
        self._noted_at = {run.campaign_id: at for run in runs if (at := self._noted_at.get(run.campaign_id))}
        metrics.RUNS.set(len(runs))
        metrics.UNFOLLOWED.set(sum(to_follow(run) for run in runs))
        metrics.LATENESS.set(max((lateness_seconds(run) for run in runs), default=0.0))
        for word in self._shown | set(why):
            metrics.WAITING.labels(word).set(why[word])
        self._shown |= set(why)
