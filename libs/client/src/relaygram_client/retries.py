"""When a call may be made again, and after how long. Decisions only: transport.py acts on them."""

import random
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_FIRST_SECONDS = 0.25
_LONGEST_BACKOFF_SECONDS = 8.0
# Such an answer says that nothing was done, so that even what is not repeatable may be repeated.
_NOTHING_DONE = frozenset({429})
_TRY_AGAIN = frozenset({429, 503})


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """`attempts` includes the first; a server that asks for a longer wait is not waited for."""

    attempts: int = 5
    longest_wait_seconds: float = 60.0

    def wait_after_answer(
        self, status: int, retry_after: float | None, *, attempt: int, repeatable: bool
    ) -> float | None:
        """Seconds to wait before the next attempt, None for no further one. `attempt` counts from 1."""
        if attempt >= self.attempts or status not in _TRY_AGAIN or not (repeatable or status in _NOTHING_DONE):
            return None
        if retry_after is None:
            return backoff_seconds(attempt)
        return None if retry_after > self.longest_wait_seconds else spread(retry_after)

    def wait_after_failure(self, *, sent: bool, attempt: int, repeatable: bool) -> float | None:
        """The same after a connection that failed; `sent`: the request may have arrived."""
        if attempt >= self.attempts or (sent and not repeatable):
            return None
        return backoff_seconds(attempt)


def backoff_seconds(attempt: int) -> float:
    """Doubling, half of it random, so that many clients do not come back at one moment."""
    full = min(_FIRST_SECONDS * 2.0 ** (attempt - 1), _LONGEST_BACKOFF_SECONDS)
    return full * random.uniform(0.5, 1.0)  # noqa: S311 - no secret


def spread(seconds: float) -> float:
    """A little more than the server asked for."""
    return seconds + random.uniform(0.0, min(1.0, 0.1 + seconds * 0.1))  # noqa: S311 - no secret


def retry_after_seconds(value: str | None) -> float | None:
    """The header Retry-After: seconds or a date; None when there is none or it is not understood."""
    if value is None:
        return None
    text = value.strip()
    if text.isdecimal():
        return float(text[:9])
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())
