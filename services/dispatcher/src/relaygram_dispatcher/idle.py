"""For how long nothing has happened to each run."""

import time
from collections.abc import Collection

from relaygram_dispatcher.core.run import Run


class Idle:
    """By a clock that is only of this process: who takes a run over begins anew."""

    def __init__(self) -> None:
        self._since: dict[int, tuple[tuple[int, int], float]] = {}

    def seconds(self, run: Run) -> float:
        """Since its progress was another."""
        now = time.monotonic()
        progress, since = self._since.get(run.campaign_id, (None, now))
        if progress != run.progress:
            self._since[run.campaign_id] = (run.progress, since := now)
        return now - since

    def begin_again(self, run: Run) -> None:
        """Something was done about it: not again each second."""
        self._since[run.campaign_id] = (run.progress, time.monotonic())

    def keep(self, campaigns: Collection[int]) -> None:
        """Forget all others."""
        self._since = {campaign: since for campaign, since in self._since.items() if campaign in campaigns}
