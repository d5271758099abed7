"""Rate limits of this process: requests a token, failed log-ins an e-mail and an address."""

import time
from collections import OrderedDict, deque
from collections.abc import Hashable

from relaygram_api.core.rate_limit import Bucket, Verdict, take

_KEPT = 10_000  # the least recently seen beyond these start anew: memory stays bounded
_WINDOW_SECONDS = 60.0


class RateLimiter:
    """`per_minute` requests a key and minute, twice as many in a burst; 0 limits nothing."""

    def __init__(self, per_minute: int) -> None:
        self.per_minute = per_minute
        self._buckets: OrderedDict[Hashable, Bucket] = OrderedDict()

    def take(self, key: Hashable) -> Verdict:
        """One request of this key."""
        now, burst = time.monotonic(), 2 * self.per_minute
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = Bucket(float(burst), now)
            if len(self._buckets) > _KEPT:
                self._buckets.popitem(last=False)
        self._buckets.move_to_end(key)
        return take(bucket, now=now, per_second=self.per_minute / 60, burst=burst)


class FailureLimiter:
    """So many failures a key and minute; then the key has to wait."""

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._failures: OrderedDict[Hashable, deque[float]] = OrderedDict()

    def wait_seconds(self, *keys: Hashable) -> int:
        """How long until the next try is allowed; 0 is now."""
        return max(self._wait(key) for key in keys)

    def failed(self, *keys: Hashable) -> None:
        """Count a failure for each key."""
        for key in keys:
            times = self._failures.setdefault(key, deque(maxlen=self._per_minute))
            times.append(time.monotonic())
            self._failures.move_to_end(key)
        while len(self._failures) > _KEPT:
            self._failures.popitem(last=False)

    def _wait(self, key: Hashable) -> int:
        times = self._failures.get(key)
        if times is None or len(times) < self._per_minute:
            return 0
        return max(0, -int(-(times[0] + _WINDOW_SECONDS - time.monotonic()) // 1))
