"""How fast a campaign goes and when it ends, from what was accepted in each minute."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

MINUTE: Final = timedelta(minutes=1)
_FARTHEST_SECONDS: Final = 10 * 365 * 86_400  # beyond, an end is no use to anybody


def minute_of(moment: datetime) -> datetime:
    """The minute that a moment lies in."""
    return moment.replace(second=0, microsecond=0)


def last_hour(sent: Mapping[datetime, int], now: datetime) -> list[tuple[datetime, int]]:
    """Each of the last sixty minutes, the present one last, with what was sent in it."""
    present = minute_of(now)
    return [(minute, sent.get(minute, 0)) for minute in (present - MINUTE * back for back in range(59, -1, -1))]


def sent_last_minute(sent: Mapping[datetime, int], now: datetime) -> int:
    """Messages of the last sixty seconds: the present minute, and of the one before the part that still counts."""
    present = minute_of(now)
    left_of_former = 1 - (now - present) / MINUTE
    return sent.get(present, 0) + round(sent.get(present - MINUTE, 0) * left_of_former)


def estimated_end(
    pending: int, sent: Mapping[datetime, int], *, started_at: datetime | None, now: datetime
) -> datetime | None:
    """When the last is sent if it goes on like this; None when nothing moves."""
    recent = sent_last_minute(sent, now)
    if not recent or not pending:
        return None
    # Who has been running for ten seconds has sent all of it in ten seconds.
    took = MINUTE if started_at is None else min(MINUTE, max(timedelta(seconds=1), now - started_at))
    left_seconds = took.total_seconds() * pending / recent
    return now + timedelta(seconds=left_seconds) if left_seconds < _FARTHEST_SECONDS else None
