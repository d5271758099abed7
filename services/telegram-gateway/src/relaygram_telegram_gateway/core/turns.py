"""Whose turn it is: the campaigns of one account take turns, those that answer people first."""

from collections.abc import Collection, Hashable, Iterable
from typing import Generic, TypeVar

Q = TypeVar("Q", bound=Hashable)


class Turns(Generic[Q]):
    """Round robin over whoever is ready, so that no campaign waits for another one's end."""

    def __init__(self) -> None:
        self._last_turn: dict[Q, int] = {}
        self._turn = 0

    def choose(self, ready: Iterable[Q], *, answering: Collection[Q] = ()) -> Q | None:
        """The queue that goes next: of those that answer people, else of all, the one that waited longest."""
        candidates = list(ready)
        if not candidates:
            return None
        first = [queue for queue in candidates if queue in answering] or candidates
        chosen = first[0] if len(first) == 1 else min(first, key=lambda queue: self._last_turn.get(queue, 0))
        self._turn += 1
        self._last_turn[chosen] = self._turn
        return chosen

    def forget(self, queue: Q) -> None:
        """It has ended."""
        self._last_turn.pop(queue, None)


def shares(total: int, feeds: int) -> list[int]:
    """How many jobs to ask of each feed when `total` may be asked of all: at least one each, so that none starves."""
    if feeds == 0 or total <= 0:
        return [0] * feeds
    each, more = divmod(total, feeds)
    return [max(1, each + (1 if position < more else 0)) for position in range(feeds)]
