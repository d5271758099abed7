"""Wall-clock time that never steps back while the process lives, so that rates measured with it are true."""

import time
from datetime import UTC, datetime

_OFFSET = time.time() - time.monotonic()


def now() -> float:
    """Seconds since 1970, moving at the speed of the monotonic clock."""
    return time.monotonic() + _OFFSET


def as_datetime(seconds: float) -> datetime:
    """The whole second that Telegram's own dates show."""
    return datetime.fromtimestamp(int(seconds), UTC)


def as_iso(seconds: float) -> str:
    """ISO 8601 in UTC with six digits and a Z."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
