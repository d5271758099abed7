"""What a person or a program reads: tables and lists of fields, or JSON."""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

import typer

from relaygram_cli.plain_text import one_line, plain

if TYPE_CHECKING:
    from rich.console import RenderableType

    from relaygram_client import Listing
    from relaygram_client.models.shape import Shape

Thing = TypeVar("Thing", bound="Shape")
_ENDLESS = 10_000  # columns: what is not for a terminal is not wrapped

_STYLES = {
    "running": "green", "active": "green", "sent": "green", "completed": "green", "ok": "green",
    "paused": "yellow", "backing_off": "yellow", "code_required": "yellow", "password_required": "yellow",
    "pending": "cyan", "failed": "red", "disabled": "red", "wrong": "red", "stopped": "red",
}  # fmt: skip


class Column(NamedTuple, Generic[Thing]):
    """A column of a table, or a line of a list of fields."""

    title: str
    value: Callable[[Thing], Any]
    #: Numbers stand at the right; a status has its colour.
    kind: str = "text"


def print_json(value: Any) -> None:
    """One document."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def print_json_line(value: Any) -> None:
    """One object on one line, at once."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def print_things(things: Sequence[Thing], columns: Sequence[Column[Thing]], *, as_json: bool, nothing: str) -> None:
    """A table; `nothing` is said when there is nothing."""
    if as_json:
        print_json([thing.as_json() for thing in things])
    elif things:
        print_table(
            [(column.title, column.kind) for column in columns],
            [[column.value(thing) for column in columns] for thing in things],
        )
    else:
        note(nothing)


def print_rows(rows: Sequence[Any], columns: Sequence[tuple[str, str]], *, as_json: bool, nothing: str) -> None:
    """The same of dataclasses; columns as (field, kind)."""
    if as_json:
        print_json([row_as_json(row) for row in rows])
    elif rows:
        titles = [(name.removesuffix("_at").replace("_", " "), kind) for name, kind in columns]
        print_table(titles, [[getattr(row, name) for name, _ in columns] for row in rows])
    else:
        note(nothing)


def print_thing(thing: Thing, columns: Sequence[Column[Thing]], *, as_json: bool) -> None:
    """One thing, a line for each field that it has."""
    if as_json:
        print_json(thing.as_json())
        return
    rows = [(column.title, as_text(column.value(thing)), column.kind) for column in columns]
    print_fields({title: (text, kind) for title, text, kind in rows if text})


def print_fields(fields: Mapping[str, tuple[str, str]]) -> None:
    """Names and values in two columns."""
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for title, (text, kind) in fields.items():
        table.add_row(Text(title, style="dim"), Text(plain(text), style=_style(text, kind)))
    show(table)


def print_table(columns: Sequence[tuple[str, str]], rows: Sequence[Sequence[Any]]) -> None:
    """Columns as (title, kind); those that are empty all the way down are left out."""
    from rich.table import Table
    from rich.text import Text

    texts = [[one_line(as_text(value)) for value in row] for row in rows]
    filled = [place for place in range(len(columns)) if any(row[place] for row in texts)]
    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0), pad_edge=False)
    for place in filled:
        title, kind = columns[place]
        # Texts give way where a terminal is narrow; half a number or time would be wrong.
        is_fixed = kind in ("number", "status") or any(isinstance(row[place], datetime) for row in rows)
        table.add_column(title, justify="right" if kind == "number" else "left", no_wrap=is_fixed, overflow="fold")
    for row in texts:
        table.add_row(*(Text(row[place], style=_style(row[place], columns[place][1])) for place in filled))
    show(table)


def show(shown: "RenderableType") -> None:
    """Print a table or text: as wide as the terminal, or as wide as it takes where nobody looks at one."""
    from rich.console import Console

    if sys.stdout.isatty():
        Console(highlight=False).print(shown)
        return
    console = Console(highlight=False, width=_ENDLESS, color_system=None)
    with console.capture() as captured:
        console.print(shown)
    sys.stdout.write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))
    sys.stdout.flush()


def print_line(*parts: str | tuple[str, str]) -> None:
    """One line at once; a part that is a pair with its kind has that kind's colour on a terminal."""
    pairs = [(part, "") if isinstance(part, str) else part for part in parts if part]
    if not sys.stdout.isatty():
        sys.stdout.write(" ".join(text for text, _ in pairs if text) + "\n")
        sys.stdout.flush()
        return
    from rich.console import Console
    from rich.text import Text

    line = Text(" ").join(Text(text, style=_style(text, kind)) for text, kind in pairs if text)
    Console(highlight=False).print(line, soft_wrap=True)


def note(text: str) -> None:
    """A line for the person, beside what a program may read."""
    typer.echo(plain(text), err=True)


def as_text(value: Any) -> str:
    """A value of an answer for a person."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case datetime():
            return value.strftime("%Y-%m-%d %H:%M:%SZ")
        case list():
            return ", ".join(as_text(one) for one in value)
    return str(value)


async def taken(listing: "Listing[Thing]", limit: int) -> list[Thing]:
    """The first things of a listing, and a word when more follow."""
    things: list[Thing] = []
    async for thing in listing:
        if limit and len(things) == limit:
            note(f"More follow: --limit takes more than {limit}, --limit 0 takes all.")
            break
        things.append(thing)
    return things


def row_as_json(row: Any) -> dict[str, Any]:
    """A dataclass, with times in ISO 8601."""
    from dataclasses import asdict

    return {
        name: value.isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else value
        for name, value in asdict(row).items()
    }


def _style(text: str, kind: str) -> str:
    return _STYLES.get(text, "") if kind == "status" else ""
