"""The sandbox's SQLite file. Rows of the hot path are buffered and written by one commit per turn of the event
loop; nothing that depends on a row leaves the process before that commit (see protocol/outbox.py).
"""

import sqlite3
from collections.abc import Iterable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

FILE_NAME = "sandbox.sqlite3"
_MESSAGE_COLUMNS = 14
_WIRE_COLUMNS = 7
_WORLD_TABLES = (
    "users",
    "contacts",
    "auth_keys",
    "login_codes",
    "messages",
    "reads",
    "wire",
    "files",
    "file_parts",
    "faults",
    "intentions",
)


class StoreError(Exception):
    """The state folder cannot be used; the text says why in one line."""


class Store:
    """One connection, used only by the event loop's thread."""

    def __init__(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._db = sqlite3.connect(folder / FILE_NAME, isolation_level=None, timeout=0.2)
            (folder / FILE_NAME).chmod(0o600)
            # Exclusive: a second sandbox on the same folder would corrupt the record, so it must not start.
            self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._db.execute("PRAGMA journal_mode = WAL")
            # A killed process loses nothing with NORMAL; only a power cut could, and only the last commits.
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._db.execute("PRAGMA wal_autocheckpoint = 4000")
            self._db.executescript(files("relaygram_sandbox").joinpath("schema.sql").read_text())
        except (OSError, sqlite3.Error) as error:
            raise StoreError(f"the state folder {folder} cannot be used: {error}") from error
        self._is_broken = False
        self._messages: list[tuple[Any, ...]] = []
        self._wire: list[tuple[Any, ...]] = []

    def add_message(self, row: tuple[Any, ...]) -> None:
        """Buffer one row of the record."""
        self._messages.append(row)

    def add_wire(self, row: tuple[Any, ...]) -> None:
        """Buffer one row of the wire log."""
        self._wire.append(row)

    def write(self, statement: str, *values: Any) -> None:
        """Write one row of a table off the hot path; durable with the next commit."""
        self._begin()
        self._db.execute(statement, values)

    def write_many(self, statement: str, rows: Iterable[tuple[Any, ...]]) -> None:
        """Write many rows; durable with the next commit."""
        self._begin()
        self._db.executemany(statement, rows)

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """Read, seeing everything written so far."""
        self._drain()
        return self._db.execute(query, values).fetchall()

    def iterate(self, query: str, *values: Any) -> Iterator[tuple[Any, ...]]:
        """Read row by row; only for start-up, when nothing else runs."""
        self._drain()
        yield from self._db.execute(query, values)

    def commit(self) -> None:
        """Make everything written so far survive a kill."""
        self._drain()
        if self._db.in_transaction:
            self._db.execute("COMMIT")

    def get_meta(self, key: str) -> str | None:
        """One value of the sandbox itself."""
        found = self.rows("SELECT value FROM meta WHERE key = ?", key)
        return str(found[0][0]) if found else None

    def set_meta(self, key: str, value: str) -> None:
        """Keep one value of the sandbox itself."""
        self.write("INSERT OR REPLACE INTO meta VALUES (?, ?)", key, value)

    def clear_world(self) -> None:
        """Forget everything but the server's key."""
        self._drain()
        self._begin()
        for table in _WORLD_TABLES:
            self._db.execute(f"DELETE FROM {table}")  # noqa: S608 - names from the tuple above

    def close(self) -> None:
        """Commit and close."""
        if not self._is_broken:
            self.commit()
        self._db.close()

    def give_up(self) -> None:
        """After a failed commit: nothing that was not committed is written any more."""
        self._is_broken = True
        self._messages.clear()
        self._wire.clear()

    def _begin(self) -> None:
        if not self._db.in_transaction:
            self._db.execute("BEGIN IMMEDIATE")

    def _drain(self) -> None:
        if self._messages:
            self._begin()
            marks = ",".join("?" * _MESSAGE_COLUMNS)
            self._db.executemany(f"INSERT INTO messages VALUES ({marks})", self._messages)  # noqa: S608 - question marks only
            self._messages.clear()
        if self._wire:
            self._begin()
            marks = ",".join("?" * _WIRE_COLUMNS)
            self._db.executemany(f"INSERT INTO wire VALUES ({marks})", self._wire)  # noqa: S608 - question marks only
            self._wire.clear()
