"""A replica's share of a caller's rate limit: slices of requests, taken from the bucket that all replicas have.

The bucket itself rests in PostgreSQL (control.take_requests), refilled by time.
"""

from dataclasses import dataclass
from typing import NamedTuple

_LARGEST_SLICE = 10  # or, beside limits of thousands a second, what the rate gives in …
_SLICE_OF_RATE_SECONDS = 0.01
# An older slice is given back and taken anew, so that one saved up can not be added to a full bucket later.
_SLICE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Rate:
    """How many requests a minute, and how many of them may come at once."""

    per_minute: int
    burst: int

    @property
    def slice_size(self) -> int:
        """How many requests to take at a time: few, where a slice would be much of the burst."""
        largest = max(_LARGEST_SLICE, int(self.per_minute / 60 * _SLICE_OF_RATE_SECONDS))
        return min(largest, max(1, self.burst // 20))


class Verdict(NamedTuple):
    """Whether the request may pass, and what the headers say."""

    allowed: bool
    remaining: int
    retry_after_seconds: int
    full_after_seconds: int


@dataclass(slots=True)
class Share:
    """What this replica may still let pass, and what it left in the bucket at `as_of`."""

    slice_left: int = 0
    bucket_left: float = 0.0
    as_of: float = float("-inf")


def spend(share: Share, *, now: float, rate: Rate) -> Verdict | None:
    """Let one request pass or refuse it; None when the bucket must be asked."""
    is_fresh = now - share.as_of < _SLICE_SECONDS
    if share.slice_left >= 1 and is_fresh:
        share.slice_left -= 1
        return _verdict(share, True, 0.0, rate)
    if share.slice_left == 0 and share.bucket_left < 1.0:
        # The bucket was empty when it was asked: until it can have refilled there is nothing to ask.
        wait = share.as_of + (1.0 - share.bucket_left) * 60 / rate.per_minute - now
        if wait > 0:
            return _verdict(share, False, wait, rate)
    return None


def fetched_ahead(share: Share, slice_size: int) -> int:
    """How many to take from the bucket while there are still a few, so that requests in quick succession never wait for
    it; 0 while there are enough. Together they are no more than a slice."""
    is_low = 0 < share.slice_left <= slice_size // 4
    return slice_size - share.slice_left if is_low and share.bucket_left >= 1.0 else 0


def _verdict(share: Share, allowed: bool, wait: float, rate: Rate) -> Verdict:
    left = share.slice_left + share.bucket_left
    return Verdict(allowed, int(left), _whole(wait), _whole((rate.burst - left) * 60 / rate.per_minute))


def _whole(seconds: float) -> int:
    return -int(-seconds // 1)
