"""The supervisor's side of the guard: tells it what runs, so that a killed supervisor leaves no orphans."""

import subprocess
import sys
from pathlib import Path

_PROGRAM = Path(__file__).with_name("guard_process.py")


class Guard:
    """A small process beside the stack. Should it be killed, the next change brings it back."""

    def __init__(self, lock: int | None = None) -> None:
        """``lock``: an open file that the guard shall hold as long as anything of the stack lives."""
        self._lock = lock
        self._groups: dict[int, int] = {}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The guard process."""
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        """Start it and tell it what is already running."""
        self._discard()
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(_PROGRAM)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            pass_fds=() if self._lock is None else (self._lock,),
            bufsize=0,
        )
        for pid, stop_signal in self._groups.items():
            self._write(f"+{pid} {stop_signal}\n")

    def watch(self, pid: int, stop_signal: int) -> None:
        """A part has started as the leader of its own session."""
        self._groups[pid] = int(stop_signal)
        self._tell(f"+{pid} {int(stop_signal)}\n")

    def forget(self, pid: int) -> None:
        """A part is gone; its number may soon be somebody else's."""
        if self._groups.pop(pid, None) is not None:
            self._tell(f"-{pid}\n")

    def close(self) -> None:
        """End the guard; whatever it still watches ends with it."""
        self._groups.clear()
        self._discard()

    def _tell(self, line: str) -> None:
        if self._process is None:
            return
        try:
            self._write(line)
        except BrokenPipeError:
            self.start()

    def _write(self, line: str) -> None:
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.write(line.encode())

    def _discard(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)
