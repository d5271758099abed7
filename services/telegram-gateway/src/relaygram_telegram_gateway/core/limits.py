"""An account's limits as its owner set them, and how much of them is left."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

WARM_UP_SECONDS = 24 * 3600
WARM_UP_PER_HOUR = 20


@dataclass(frozen=True, slots=True)
class Limits:
    """None: no limit."""

    per_second: int | None
    per_hour: int | None
    per_day: int | None
    resolves_per_minute: int | None
    warm_up: bool


@dataclass(frozen=True, slots=True)
class Usage:
    """What the account sent, as the one-minute buckets say."""

    last_hour: int
    last_day: int


def parse_limits(raw: Mapping[str, Any]) -> Limits:
    """From the account's row; the api fills in all five keys."""
    return Limits(
        per_second=raw.get("messages_per_second"),
        per_hour=raw.get("messages_per_hour"),
        per_day=raw.get("messages_per_day"),
        resolves_per_minute=raw.get("resolves_per_minute"),
        warm_up=bool(raw.get("warm_up", False)),
    )


def remaining(limits: Limits, usage: Usage, *, account_age_seconds: float) -> int | None:
    """How many more messages the hour and the day allow; None: any number."""
    per_hour = limits.per_hour
    if limits.warm_up and account_age_seconds < WARM_UP_SECONDS:
        per_hour = WARM_UP_PER_HOUR if per_hour is None else min(per_hour, WARM_UP_PER_HOUR)
    left = [
        limit - used
        for limit, used in ((per_hour, usage.last_hour), (limits.per_day, usage.last_day))
        if limit is not None
    ]
    return max(0, min(left)) if left else None
