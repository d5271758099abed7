"""Run one server without the supervisor: what tests do."""

import subprocess
import time
from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import Self

from relaygram_local_stack.errors import StackError
from relaygram_local_stack.process import ProcessSpec

_POLL_SECONDS = 0.005


class StandaloneServer(ABC):
    """Start, stop and kill a server from plain code; use it as a context manager."""

    _process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def spec(self) -> ProcessSpec:
        """What to start."""

    @abstractmethod
    def prepare(self) -> None:
        """Make what the server needs on disk; repeating it changes nothing."""

    @property
    @abstractmethod
    def log_path(self) -> Path:
        """Where the server's own output goes."""

    @property
    def pid(self) -> int | None:
        """The running process, if any."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    def start(self, timeout_seconds: float = 30.0) -> Self:
        """Start it and return when it is ready."""
        self.prepare()
        spec = self.spec()
        if spec.before_start is not None:
            spec.before_start()
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                spec.full_command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=dict(spec.environment) or None,
                start_new_session=True,
                user=spec.user_id,
                group=spec.group_id,
                extra_groups=[] if spec.user_id is not None else None,
            )
        deadline = time.monotonic() + timeout_seconds
        while not spec.is_ready(self._process.pid):
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                last_lines = " | ".join(self.log_path.read_text(errors="replace").splitlines()[-3:])
                raise StackError(f"{spec.name} did not become ready: {last_lines or 'it said nothing'}")
            time.sleep(_POLL_SECONDS)
        return self

    def stop(self) -> None:
        """Stop it cleanly, or by force when it does not listen."""
        if self._process is None:
            return
        spec = self.spec()
        self._process.send_signal(spec.stop_signal)
        try:
            self._process.wait(spec.stop_seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(spec.stop_seconds)
        self._process = None

    def kill(self) -> None:
        """kill -9, as a crash would; ``start`` brings it back on the same data and address."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
