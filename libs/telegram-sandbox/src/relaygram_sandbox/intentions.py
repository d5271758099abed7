"""What people will do by themselves: answer or read after a while. Durable, so a kill loses no answer."""

import asyncio
import heapq
from collections.abc import Callable

from relaygram_sandbox import clock
from relaygram_sandbox.store import Store

Carry = Callable[[int, int, str | None, int], None]
_AT_ONCE = 200


class Intentions:
    """A heap of due times with one timer for the first of them."""

    def __init__(self, store: Store, carry_out: Carry) -> None:
        self._store = store
        self._carry_out = carry_out
        self._heap: list[tuple[float, int, int, int, str | None, int]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._last_id = 0
        for row in store.rows("SELECT due_at, id, person_id, account_id, reply, message_seq FROM intentions"):
            self._heap.append((row[0], row[1], row[2], row[3], row[4], row[5]))
            self._last_id = max(self._last_id, row[1])
        heapq.heapify(self._heap)

    def start(self) -> None:
        """Begin with what an earlier process left."""
        self._set_timer()

    def plan(self, after_seconds: float, person_id: int, account_id: int, reply: str | None, message_seq: int) -> None:
        """The person will do this after a while."""
        self._last_id += 1
        due_at = clock.now() + after_seconds
        heapq.heappush(self._heap, (due_at, self._last_id, person_id, account_id, reply, message_seq))
        self._store.write(
            "INSERT INTO intentions VALUES (?, ?, ?, ?, ?, ?)",
            self._last_id,
            due_at,
            person_id,
            account_id,
            reply,
            message_seq,
        )
        if self._heap[0][1] == self._last_id:
            self._set_timer()

    def clear(self) -> None:
        """Nobody will do anything any more."""
        self._heap.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._heap:
            wait = max(self._heap[0][0] - clock.now(), 0.0)
            self._timer = asyncio.get_running_loop().call_later(wait, self._run_due)

    def _run_due(self) -> None:
        # A bounded share per turn: thousands of answers that fall due together must not stall the clients.
        for _ in range(_AT_ONCE):
            if not self._heap or self._heap[0][0] > clock.now():
                break
            _, number, person_id, account_id, reply, seq = heapq.heappop(self._heap)
            self._store.write("DELETE FROM intentions WHERE id = ?", number)
            self._carry_out(person_id, account_id, reply, seq)
        self._set_timer()
