"""Which of two rows wins, whatever the order they come in: the rules of delivery.write_messages, for one batch.

The function takes at most one row per message, so a batch is folded first. Folding before and merging there must
give the same as merging each event alone; tests/log_writer compares them over random orders, doubles and splits.
"""

from collections.abc import Iterable
from typing import Any

from relaygram_log_writer.core.row import Key, Row

# What belongs to the state and comes with it, also when it is empty; of times the earliest is kept; of all else the
# winner's, or the loser's where the winner has none.
_WITH_STATE = frozenset({"state", "rank", "attempt", "ended_at", "error_code", "error_message", "error_permanent"})
_EARLIEST = frozenset({"queued_at", "sent_at", "read_at", "replied_at"})


def fold(rows: Iterable[Row]) -> dict[Key, Row]:
    """One row per message, in the order of first appearance."""
    folded: dict[Key, Row] = {}
    for row in rows:
        key = (row.campaign_id, row.job_id)
        known = folded.get(key)
        folded[key] = row if known is None else merge(known, row)
    return folded


def merge(known: Row, other: Row) -> Row:
    """What the log knows after both."""
    winner, loser = (other, known) if _wins(other, known) else (known, other)
    values: dict[str, Any] = {}
    won: Any
    lost: Any
    for name, won, lost in zip(Row._fields, winner, loser, strict=True):
        if name in _EARLIEST:
            values[name] = won if lost is None else lost if won is None else min(won, lost)
        else:
            values[name] = won if won is not None or name in _WITH_STATE else lost
    return Row(**values)


def _wins(other: Row, known: Row) -> bool:
    """Rank, then attempt; the rest only makes the order total, so that nothing rests on who came first."""
    if (other.rank, other.attempt) != (known.rank, known.attempt):
        return (other.rank, other.attempt) > (known.rank, known.attempt)
    # `retrying` follows the `sending` of its attempt, and happens to stand before it in the alphabet.
    return (other.state, other.error_code or "") < (known.state, known.error_code or "")
