"""Counters of the record: how many were accepted and refused, and how fast each account really sent."""

from array import array
from bisect import bisect_right
from collections import Counter
from typing import Any

HOUR_SECONDS = 3600.0


class Pace:
    """The arrivals of one account, and the most that ever fell into one sliding second and hour."""

    __slots__ = ("_arrivals", "_hour_start", "_second_start", "max_in_one_hour", "max_in_one_second")

    def __init__(self) -> None:
        self._arrivals = array("d")
        self._second_start = 0
        self._hour_start = 0
        self.max_in_one_second = 0
        self.max_in_one_hour = 0

    def add(self, at: float) -> None:
        """Count one message that arrived at this time; times do not go back."""
        arrivals = self._arrivals
        arrivals.append(at)
        count = len(arrivals)
        while arrivals[self._second_start] <= at - 1.0:
            self._second_start += 1
        while arrivals[self._hour_start] <= at - HOUR_SECONDS:
            self._hour_start += 1
        self.max_in_one_second = max(self.max_in_one_second, count - self._second_start)
        self.max_in_one_hour = max(self.max_in_one_hour, count - self._hour_start)

    def count_since(self, at: float) -> int:
        """How many arrived after that time."""
        return len(self._arrivals) - bisect_right(self._arrivals, at)

    @property
    def first(self) -> float | None:
        """When the first one arrived."""
        return self._arrivals[0] if self._arrivals else None

    def __len__(self) -> int:
        return len(self._arrivals)


class Statistics:
    """Counts messages only: a login or a lookup that failed is not a refused message."""

    def __init__(self) -> None:
        self.accepted = 0
        self.random_id_duplicates = 0
        self.refused: Counter[str] = Counter()
        self.paces: dict[int, Pace] = {}
        self._to_strangers: dict[int, Pace] = {}

    def count_accepted(self, account_id: int, at: float, *, to_stranger: bool) -> None:
        """A client's message was accepted; a stranger never wrote to the account before."""
        self.accepted += 1
        self.pace_of(account_id).add(at)
        if to_stranger:
            self._to_strangers.setdefault(account_id, Pace()).add(at)

    def strangers_since(self, account_id: int, at: float) -> int:
        """How many messages to strangers the account has sent after that time."""
        pace = self._to_strangers.get(account_id)
        return pace.count_since(at) if pace is not None else 0

    def pace_of(self, account_id: int) -> Pace:
        """The arrivals of an account."""
        pace = self.paces.get(account_id)
        if pace is None:
            pace = self.paces[account_id] = Pace()
        return pace

    def as_json(self, connections: int) -> dict[str, Any]:
        """The counters as the control plane shows them."""
        accounts = {
            str(account_id): {
                "accepted": len(pace),
                "max_in_one_second": pace.max_in_one_second,
                "max_in_one_hour": pace.max_in_one_hour,
            }
            for account_id, pace in self.paces.items()
        }
        return {
            "accepted": self.accepted,
            "refused": dict(self.refused),
            "random_id_duplicates": self.random_id_duplicates,
            "connections": connections,
            "accounts": accounts,
        }
