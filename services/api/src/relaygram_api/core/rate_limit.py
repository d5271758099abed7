"""A token bucket: a burst at once, then a steady rate."""

from dataclasses import dataclass


@dataclass(slots=True)
class Bucket:
    """What one token may still ask; `as_of` is the clock at which `left` was true."""

    left: float
    as_of: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the request may pass, and what the headers say."""

    allowed: bool
    remaining: int
    retry_after_seconds: int
    full_after_seconds: int


def take(bucket: Bucket, *, now: float, per_second: float, burst: int) -> Verdict:
    """Take one request out of the bucket, if there is one."""
    bucket.left = min(float(burst), bucket.left + max(0.0, now - bucket.as_of) * per_second)
    bucket.as_of = now
    allowed = bucket.left >= 1.0
    if allowed:
        bucket.left -= 1.0
    wait = 0 if allowed else _whole((1.0 - bucket.left) / per_second)
    return Verdict(allowed, int(bucket.left), wait, _whole((burst - bucket.left) / per_second))


def _whole(seconds: float) -> int:
    return -int(-seconds // 1)
