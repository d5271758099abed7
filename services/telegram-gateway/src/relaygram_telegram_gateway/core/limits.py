"""An account's limits as its owner set them, and how much of them is left."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

KeptBy = Literal["hour", "day", "warm_up"]

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


def _in_force(limits: Limits, usage: Usage, *, account_age_seconds: float) -> list[tuple[KeptBy, int, int]]:
    """Each limit that counts now, with what was used of it."""
    per_hour: list[tuple[KeptBy, int | None]] = [("hour", limits.per_hour)]
    if limits.warm_up and account_age_seconds < WARM_UP_SECONDS:
        per_hour.append(("warm_up", WARM_UP_PER_HOUR))
    found = [(kept_by, limit, usage.last_hour) for kept_by, limit in per_hour if limit is not None]
    return found if limits.per_day is None else [*found, ("day", limits.per_day, usage.last_day)]


def remaining(limits: Limits, usage: Usage, *, account_age_seconds: float) -> int | None:
    """How many more messages the hour and the day allow; None: any number."""
    in_force = _in_force(limits, usage, account_age_seconds=account_age_seconds)
    return max(0, min(limit - used for _, limit, used in in_force)) if in_force else None


def used_up(limits: Limits, usage: Usage, *, account_age_seconds: float) -> dict[KeptBy, int]:
    """The limits that let nothing through now."""
    in_force = _in_force(limits, usage, account_age_seconds=account_age_seconds)
    return {kept_by: limit for kept_by, limit, used in in_force if used >= limit}
