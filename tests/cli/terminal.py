"""The command as a person runs it: on a terminal."""

import contextlib
import os
import pty
import select
import signal
import subprocess
import sys
import time
from types import TracebackType
from typing import Self

from tests.api.served import Process

_SECONDS = 60.0


class Terminal:
    """`relaygram …` with a pseudo-terminal as its input and outputs. Plain: call it in a thread."""

    def __init__(self, process: Process, *words: str) -> None:
        self._master, slave = pty.openpty()
        plain = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "CI")}
        env = {**plain, "RELAYGRAM_API_URL": process.url, "RELAYGRAM_API_TOKEN": process.token}
        self._running = subprocess.Popen(
            [sys.executable, "-m", "relaygram_cli", *words],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={**env, "TERM": "xterm-256color", "COLUMNS": "120"},
            start_new_session=True,
            preexec_fn=_own_terminal,
        )
        os.close(slave)
        self.shown = b""

    def press(self, keys: bytes) -> None:
        """As on the keyboard."""
        os.write(self._master, keys)

    def read_until(self, wanted: bytes) -> None:
        """Read until this was shown."""
        deadline = time.monotonic() + _SECONDS
        while wanted not in self.shown:
            assert self._read(deadline - time.monotonic()), self.shown

    def wait(self) -> int:
        """Its exit status, when all is shown."""
        deadline = time.monotonic() + _SECONDS
        while self._read(deadline - time.monotonic()):
            continue
        return self._running.wait(timeout=_SECONDS)

    def _read(self, seconds: float) -> bool:
        ready, _, _ = select.select([self._master], [], [], max(seconds, 0))
        if not ready:
            raise AssertionError(f"nothing more within {_SECONDS} s: {self.shown!r}")
        try:
            data = os.read(self._master, 65536)
        except OSError:
            return False  # it has ended
        self.shown += data
        return bool(data)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._running.kill()
        self._running.wait(timeout=_SECONDS)
        os.close(self._master)


def _own_terminal() -> None:
    """Ctrl-C on it is for the command."""
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    # Where the tests run in the background of a shell, it lets them ignore Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
