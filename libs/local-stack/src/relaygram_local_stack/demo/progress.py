"""Shows a running campaign: a live bar on a terminal, a line a second elsewhere."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn


class Display(Protocol):
    """Takes the campaign as the API shows it, again and again."""

    def show(self, campaign: dict[str, Any]) -> None:
        """Draw it."""

    def say(self, text: str) -> None:
        """One line beside the drawing."""


class _Bar:
    def __init__(self, progress: Progress, total: int) -> None:
        self._progress = progress
        self._task = progress.add_task("sending", total=total, counts="", rate="")
        self._rate = _Rate()

    def show(self, campaign: dict[str, Any]) -> None:
        done = campaign["sent_count"] + campaign["failed_count"]
        self._progress.update(
            self._task, completed=done, counts=_counts(campaign), rate=f"{self._rate.per_second(done):.0f}/s"
        )

    def say(self, text: str) -> None:
        self._progress.console.print(text)


class _Lines:
    def __init__(self, console: Console) -> None:
        self._console = console
        self._rate = _Rate()
        self._shown_at = 0.0

    def show(self, campaign: dict[str, Any]) -> None:
        done = campaign["sent_count"] + campaign["failed_count"]
        per_second = self._rate.per_second(done)
        if time.monotonic() - self._shown_at >= 1.0:
            self._shown_at = time.monotonic()
            self.say(f"{done} of {campaign['total_contacts']}: {_counts(campaign)}, {per_second:.0f}/s")

    def say(self, text: str) -> None:
        self._console.print(text, highlight=False)


class _Rate:
    """Messages a second over the last two seconds."""

    def __init__(self) -> None:
        self._seen: list[tuple[float, int]] = []

    def per_second(self, done: int) -> float:
        now = time.monotonic()
        self._seen = [*((at, count) for at, count in self._seen if at > now - 2.0), (now, done)]
        first_at, first = self._seen[0]
        return (done - first) / (now - first_at) if now > first_at else 0.0


def _counts(campaign: dict[str, Any]) -> str:
    return f"{campaign['sent_count']} sent, {campaign['failed_count']} failed, {campaign['pending_count']} pending"


@contextmanager
def display(console: Console, total: int) -> Iterator[Display]:
    """A bar on a terminal, else lines."""
    if not console.is_terminal:
        yield _Lines(console)
        return
    columns = (
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TextColumn("{task.fields[counts]}"),
        TextColumn("[cyan]{task.fields[rate]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as progress:
        yield _Bar(progress, total)
