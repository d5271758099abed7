"""What keeps an account from sending, and until when: one answer for people, out of everything that does."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from relaygram_telegram_gateway.core.limits import KeptBy

_CODES = {"FLOOD_WAIT": "flood_wait", "PEER_FLOOD": "peer_flood"}


@dataclass(frozen=True, slots=True)
class Waiting:
    """`until` None: nobody knows."""

    waiting_for: str
    until: datetime | None


def waiting_for_block(code: str) -> str:
    """How a block is called; all that is no flood is a restriction of the account."""
    return _CODES.get(code, "flood_wait" if code.endswith("_X") else "restricted")


def waiting_for_limit(kept_by: KeptBy) -> str:
    """How a limit is called."""
    return {"hour": "hourly_limit", "day": "daily_limit", "warm_up": "warm_up"}[kept_by]


def what_keeps(reasons: Iterable[Waiting], *, is_connected: bool) -> Waiting | None:
    """The reason that ends last; the lost connection, whose end nobody knows, only when there is no other."""
    last = max(reasons, key=lambda one: one.until.timestamp() if one.until else float("inf"), default=None)
    if last is None and not is_connected:
        return Waiting("connection", None)
    return last
