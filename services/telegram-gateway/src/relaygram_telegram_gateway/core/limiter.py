"""How fast an account may send: a sliding log of completions.

Send k starts only when fewer than N requests are on the wire or were answered within the last second. Whatever the
network does, a message arrives before its answer does, so no one-second window at the receiver ever holds more than
N of them. (A token bucket can not promise that: requests may bunch up on their way.)
"""

from collections import deque
from collections.abc import Iterable

WINDOW_SECONDS = 1.0
# An answer that is exactly one window old may share a closed window with the next arrival.
_STRICTLY_OLDER = 0.001


class CompletionWindow:
    """Starts and answers of one account. The clock is the caller's: any that never runs backwards."""

    def __init__(self, limit: int | None, *, now: float) -> None:
        """`limit` per second, None for no limit. What the previous owner sent is unknown: the window begins full."""
        self.limit = limit
        self.in_flight = 0
        self._answered: deque[float] = deque()
        self._full_until = now + WINDOW_SECONDS + _STRICTLY_OLDER

    def start(self) -> None:
        """A request leaves."""
        self.in_flight += 1

    def complete(self, now: float) -> None:
        """Its answer is here, or it was given up: an unknown outcome counts from its abort."""
        self.in_flight -= 1
        self._answered.append(now)
        self._forget(now)

    def wait_seconds(self, now: float) -> float | None:
        """0 when a request may start now, else how long until one may; None: not before an answer comes."""
        if self.limit is None:
            return 0.0
        if now < self._full_until:
            return self._full_until - now
        self._forget(now)
        busy = self.in_flight + len(self._answered)
        if busy < self.limit:
            return 0.0
        if self.in_flight >= self.limit:
            return None
        oldest_that_must_age = self._answered[busy - self.limit]
        return max(0.0, oldest_that_must_age + WINDOW_SECONDS + _STRICTLY_OLDER - now)

    def room(self, now: float, horizon_seconds: float) -> int | None:
        """How many requests may start between now and the horizon; None: no limit."""
        if self.limit is None:
            return None
        then = now + horizon_seconds
        if then < self._full_until:
            return 0
        self._forget(now)
        still_young = sum(1 for at in self._answered if at > then - WINDOW_SECONDS - _STRICTLY_OLDER)
        return max(0, self.limit - self.in_flight - still_young)

    def _forget(self, now: float) -> None:
        while self._answered and self._answered[0] <= now - WINDOW_SECONDS - _STRICTLY_OLDER:
            self._answered.popleft()


class ChatSpacing:
    """At most one message into the same chat in so many seconds."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._free_at: dict[int, float] = {}

    def wait_seconds(self, chat: int, now: float) -> float:
        """0 when the chat may get a message now."""
        return max(0.0, self._free_at.get(chat, 0.0) - now)

    def start(self, chat: int) -> None:
        """A message leaves: the chat is busy until its answer is that old."""
        self._free_at[chat] = float("inf")

    def complete(self, chat: int, now: float, *, rest_seconds: float = 0.0) -> None:
        """Its answer is here, or it was given up. `rest_seconds`: how long Telegram wants to hear nothing for it."""
        self._free_at[chat] = now + max(self._seconds, rest_seconds)
        if len(self._free_at) > 10_000:
            self._free_at = {other: at for other, at in self._free_at.items() if at > now}


class StartWindow:
    """At most so many starts in any so many seconds: for requests whose answers do not matter to the limit."""

    def __init__(self, limit: int | None, *, seconds: float) -> None:
        self.limit = limit
        self._seconds = seconds
        self._started: deque[float] = deque()

    def remember(self, starts: Iterable[float]) -> None:
        """What an earlier owner began counts too."""
        self._started = deque(sorted((*starts, *self._started)))

    def start(self, now: float) -> None:
        """One begins."""
        self._started.append(now)
        self._forget(now)

    def wait_seconds(self, now: float) -> float:
        """0 when one may begin now."""
        if self.limit is None:
            return 0.0
        self._forget(now)
        if len(self._started) < self.limit:
            return 0.0
        return max(0.0, self._started[len(self._started) - max(1, self.limit)] + self._seconds - now)

    def _forget(self, now: float) -> None:
        while self._started and self._started[0] <= now - self._seconds:
            self._started.popleft()
