"""The whole state of the sandbox, put together from its store."""

import json
import random
import secrets
from typing import Any

from relaygram_sandbox.store import Store
from relaygram_sandbox.world.directory import Directory
from relaygram_sandbox.world.files import Files
from relaygram_sandbox.world.limits import Limits
from relaygram_sandbox.world.record import Record
from relaygram_sandbox.world.settings import Settings
from relaygram_sandbox.world.statistics import Statistics

SEND_METHODS = ("messages.sendMessage", "messages.sendMedia")


class World:
    """People, record, settings and counters. `reset` empties it in place."""

    directory: Directory
    record: Record
    files: Files
    settings: Settings
    limits: Limits
    statistics: Statistics
    random: random.Random

    def __init__(self, store: Store, seed: int | None, open_world: bool) -> None:
        self.store = store
        self._seed = seed
        self._open_world = open_world
        stored = store.get_meta("access_hash_secret")
        self._secret = bytes.fromhex(stored) if stored else secrets.token_bytes(32)
        if stored is None:
            store.set_meta("access_hash_secret", self._secret.hex())
        self._load()

    def reset(self) -> None:
        """An empty world, as after the first start; the server's key stays."""
        self.store.clear_world()
        self.store.set_meta("settings", json.dumps(Settings().as_json()))
        self.store.set_meta("limits", json.dumps(Limits().as_json()))
        self._load()

    def change_settings(self, changes: dict[str, Any]) -> None:
        """Change some settings, durably."""
        for name, value in changes.items():
            setattr(self.settings, name, value)
        self.store.set_meta("settings", json.dumps(self.settings.as_json()))

    def change_limits(self, changes: dict[str, Any]) -> None:
        """Change some limits, durably."""
        for name, value in changes.items():
            setattr(self.limits, name, value)
        self.store.set_meta("limits", json.dumps(self.limits.as_json()))

    def _load(self) -> None:
        self.random = random.Random(self._seed)  # noqa: S311 - faults must be repeatable; nothing here is secret
        self.settings = Settings(**json.loads(self.store.get_meta("settings") or "{}"))
        self.limits = Limits(**json.loads(self.store.get_meta("limits") or "{}"))
        self.directory = Directory(self.store, self._secret, self._open_world)
        self.files = Files(self.store, self._secret)
        self.record = Record(self.store, self.directory)
        self.statistics = self._count_again()

    def _count_again(self) -> Statistics:
        statistics = Statistics()
        have_written: set[tuple[int, int]] = set()
        everything = "SELECT from_id, to_id, date, direction FROM messages ORDER BY seq"
        for from_id, to_id, date, direction in self.store.iterate(everything):
            if direction == "outbound":
                is_stranger = from_id != to_id and (to_id, from_id) not in have_written
                statistics.count_accepted(from_id, date, to_stranger=is_stranger)
            have_written.add((from_id, to_id))
        marks = ",".join("?" * len(SEND_METHODS))
        attempts = f"SELECT outcome, error, count(*) FROM wire WHERE method IN ({marks}) GROUP BY 1, 2"  # noqa: S608 - marks
        for outcome, error, count in self.store.iterate(attempts, *SEND_METHODS):
            if outcome == "duplicate":
                statistics.random_id_duplicates += count
            elif outcome == "error":
                statistics.refused[error] += count
        return statistics
