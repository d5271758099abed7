"""Moments as callers write them."""

import re
from datetime import UTC, datetime

# A `+` in a query string arrives as a blank when the caller forgot to escape it.
_LOST_PLUS = re.compile(r" (\d{2}:?\d{2})$")


def parse_moment(text: str) -> datetime:
    """ISO 8601 with date and time; without an offset it is UTC. Raises ValueError with words for people."""
    if len(text) > 64 or not text.isascii():
        raise ValueError(_WRONG)
    try:
        moment = datetime.fromisoformat(_LOST_PLUS.sub(r"+\1", text.strip()))
    except ValueError:
        raise ValueError(_WRONG) from None
    try:
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("is beyond the years that can be told") from None


_WRONG = "should be a time in ISO 8601, such as 2026-04-21T16:02:45Z"
