"""The folder that one stack keeps everything in, and the lock that makes it one stack's only."""

import errno
import fcntl
import os
import time
from pathlib import Path
from typing import Self

from relaygram_common.security.sealing import new_key
from relaygram_local_stack.errors import StackError
from relaygram_local_stack.ports import PortBook
from relaygram_local_stack.private_file import write_private

_GUARD_SECONDS = 5.0


class DataFolder:
    """Paths below the folder, its ports and its secrets; locked from ``open`` to ``close``."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self._lock: int | None = None

    def open(self) -> Self:
        """Make the folder if need be and lock it; StackError when another stack runs on it."""
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise StackError(f"cannot use {self.path} as data folder: {error.strerror}") from error
        try:
            self._take_lock(self._lock)
        except BaseException:
            self.close()
            raise
        os.truncate(self._lock, 0)
        os.pwrite(self._lock, f"{os.getpid()}\n".encode(), 0)
        return self

    def close(self) -> None:
        """Let go of the lock. The guard may hold it a little longer, until all parts are gone."""
        lock, self._lock = self._lock, None
        if lock is not None:
            os.close(lock)

    @property
    def lock(self) -> int | None:
        """The open lock file, for the guard."""
        return self._lock

    @property
    def nats(self) -> Path:
        """JetStream's files."""
        return self.path / "nats"

    @property
    def postgres(self) -> Path:
        """The cluster."""
        return self.path / "postgres"

    @property
    def sandbox(self) -> Path:
        """The sandbox's world and record."""
        return self.path / "sandbox"

    @property
    def credentials(self) -> Path:
        """E-mail and password of the first user."""
        return self.path / "credentials.json"

    @property
    def token(self) -> Path:
        """An API token with all abilities."""
        return self.path / "token"

    def ports(self) -> PortBook:
        """The ports of this folder's stack."""
        return PortBook(self.path / "ports.json")

    def secret_keys(self) -> str:
        """What seals sessions and phones at rest; made once, and without it they can't be opened again."""
        path = self.path / "secret-keys"
        if not path.exists():
            write_private(path, new_key("k1") + "\n")
        return path.read_text().strip()

    def _take_lock(self, lock: int) -> None:
        """At once, or as soon as the guard of a killed stack has ended what was left of it."""
        deadline = time.monotonic() + _GUARD_SECONDS
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except OSError as error:
                if error.errno not in (errno.EAGAIN, errno.EACCES):
                    raise StackError(f"cannot lock {self.path}: {error.strerror}") from error
            holder = os.pread(lock, 32, 0).decode(errors="replace").strip()
            if _is_alive(holder) or time.monotonic() > deadline:
                raise StackError(f"another stack (process {holder or 'unknown'}) already runs on {self.path}")
            time.sleep(0.02)


def _is_alive(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:
        return True
    return True
