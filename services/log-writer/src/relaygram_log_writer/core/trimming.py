"""How many rows leave the log at once: few enough that nobody who waits for its lock notices."""

from typing import Final

FIRST_ROWS: Final = 200
_FEWEST, _MOST = 50, 5000
_AIM_MS = 15.0  # a promised 50 leave room for a busy moment


def next_rows(rows: int, held_ms: float) -> int:
    """How many after a batch of so many, during which the log's lock was held for so long."""
    factor = min(2.0, max(0.25, _AIM_MS / max(held_ms, 0.1)))
    return min(_MOST, max(_FEWEST, int(rows * factor)))


def pause_seconds(held_ms: float) -> float:
    """How long the lock is left to the writers: three quarters of the time, and never less than a moment."""
    return max(0.01, 3 * held_ms / 1000)
