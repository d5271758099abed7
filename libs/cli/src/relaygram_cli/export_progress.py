"""How far an export is: rows counted in the pieces as they pass, and a bar where somebody looks."""

import sys
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class LineCounter:
    """Rows of JSON lines: one a line."""

    def __init__(self) -> None:
        self.rows = 0

    def feed(self, piece: bytes) -> None:
        """The next piece, cut anywhere."""
        self.rows += piece.count(b"\n")


class CsvCounter(LineCounter):
    """Rows of CSV, without the header: lines that end outside of quotes."""

    def __init__(self) -> None:
        super().__init__()
        self.rows = -1
        self._in_quotes = False

    def feed(self, piece: bytes) -> None:
        """The next piece, cut anywhere."""
        for number, part in enumerate(piece.split(b'"')):
            if number:
                self._in_quotes = not self._in_quotes
            if not self._in_quotes:
                self.rows += part.count(b"\n")


def counter_of(output_format: str) -> LineCounter | None:
    """None of what has no lines."""
    return {"csv": CsvCounter, "ndjson": LineCounter}.get(output_format, _nothing)()


class ExportProgress:
    """A bar on standard error: of rows where their number is known, else how much has come."""

    def __init__(self, counter: LineCounter | None) -> None:
        self.is_shown = sys.stderr.isatty()
        self._counter = counter
        self._bytes = 0
        self._bar: Progress | None = None
        self._task: TaskID | None = None

    def expect(self, rows: int | None) -> None:
        """So many rows will come."""
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, total=rows)

    def came(self, piece: bytes) -> None:
        """The next piece."""
        self._bytes += len(piece)
        if self._counter is not None:
            self._counter.feed(piece)
        if self._bar is not None and self._task is not None:
            rows = None if self._counter is None else max(self._counter.rows, 0)
            self._bar.update(self._task, completed=rows, description=_said(rows, self._bytes))

    def __enter__(self) -> Self:
        if self.is_shown:
            self._bar = _bar()
            self._bar.start()
            self._task = self._bar.add_task("exporting", total=None)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()


def _nothing() -> None:
    return None


def _said(rows: int | None, size: int) -> str:
    shown = f"{size / 1024**2:.1f} MiB"
    return shown if rows is None else f"{rows} messages, {shown}"


def _bar() -> "Progress":
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True), transient=True)
