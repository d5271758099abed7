"""The wire log: every attempt that arrived and what became of it, whether or not it was accepted."""

from relaygram_sandbox.protocol.server import Request
from relaygram_sandbox.store import Store
from relaygram_sandbox.world.world import SEND_METHODS, World


class WireLog:
    """Append-only, durable with the same commit as what it tells of."""

    def __init__(self, store: Store, world: World) -> None:
        self._store = store
        self._world = world
        self.load()

    def load(self) -> None:
        """Go on after the last row."""
        self._last_seq = int(self._store.rows("SELECT coalesce(max(seq), 0) FROM wire")[0][0])

    def add(self, request: Request, method: str, account_id: int | None, outcome: str, error: str | None) -> None:
        """Note one attempt."""
        self._last_seq += 1
        random_id = getattr(request.body, "random_id", None)
        if not isinstance(random_id, int):
            random_id = None
        self._store.add_wire((self._last_seq, method, account_id, random_id, outcome, error, request.arrived_at))
        if method in SEND_METHODS:
            statistics = self._world.statistics
            if outcome == "duplicate":
                statistics.random_id_duplicates += 1
            elif outcome == "error" and error is not None:
                statistics.refused[error] += 1
