"""Where the lines of all parts go: prefixed with the part's name, in colour on a terminal."""

import os
import sys
import threading
from itertools import cycle
from typing import Protocol, TextIO

_COLOURS = ("36", "33", "32", "35", "34", "96", "93", "92", "95", "94")
_NAME_WIDTH = 18
_SUPERVISOR = "relaygram"


class Output(Protocol):
    """Takes lines from several threads."""

    def line(self, name: str, text: str) -> None:
        """One line that a part wrote."""

    def note(self, text: str) -> None:
        """One line of the supervisor itself."""


class StreamOutput:
    """Writes to a stream. A stream that is gone (a closed pipe) takes nothing down with it."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout
        self._in_colour = self._stream.isatty() and "NO_COLOR" not in os.environ
        self._colours = cycle(_COLOURS)
        self._colour_of: dict[str, str] = {_SUPERVISOR: "1"}
        self._lock = threading.Lock()

    def line(self, name: str, text: str) -> None:
        with self._lock:
            try:
                self._stream.write(f"{self._prefix(name)} {text}\n")
                self._stream.flush()
            except (OSError, ValueError):  # ValueError: the stream was closed
                return

    def note(self, text: str) -> None:
        self.line(_SUPERVISOR, text)

    def _prefix(self, name: str) -> str:
        padded = f"{name:<{_NAME_WIDTH}} |"
        if not self._in_colour:
            return padded
        if name not in self._colour_of:
            self._colour_of[name] = next(self._colours)
        return f"\x1b[{self._colour_of[name]}m{padded}\x1b[0m"
