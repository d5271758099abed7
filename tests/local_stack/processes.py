"""Tiny real processes for the supervisor's tests, and ways to look at processes."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

from relaygram_local_stack.process import ProcessSpec
from relaygram_local_stack.readiness import http_ok


class RecordedOutput:
    """Keeps every line."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []
        self.notes: list[str] = []

    def line(self, name: str, text: str) -> None:
        self.lines.append((name, text))

    def note(self, text: str) -> None:
        self.notes.append(text)


def web_server(name: str, port: int, folder: Path) -> ProcessSpec:
    """A real server that is ready when it answers."""
    return ProcessSpec(
        name=name,
        command=(sys.executable, "-u", "-m", "http.server", str(port), "--bind", "127.0.0.1", "-d", str(folder)),
        is_ready=http_ok(port, "/"),
    )


def script(name: str, code: str, is_ready: Callable[[int], bool] = lambda _pid: True) -> ProcessSpec:
    """A process that runs a few lines of Python."""
    return ProcessSpec(name=name, command=(sys.executable, "-u", "-c", code), is_ready=is_ready, stop_seconds=0.5)


def runs(pid: int) -> bool:
    """Whether the process exists and is no zombie."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat")
    return not state.exists() or state.read_text().rpartition(")")[2].split()[0] != "Z"
