"""``relaygram suppressions``: people whom no campaign writes to."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from relaygram_cli.asking import ask
from relaygram_cli.errors import CommandError
from relaygram_cli.options import Json, Limit
from relaygram_cli.output import Column, note, print_json, print_table, print_things, taken
from relaygram_cli.people_given import address

if TYPE_CHECKING:
    from relaygram_client import Suppressed, Suppression

app = typer.Typer(no_args_is_help=True, help="People whom no campaign writes to.")
_COLUMNS: "list[Column[Suppression]]" = [
    Column("id", lambda s: s.id, "number"),
    Column("handle", lambda s: s.handle),
    Column("Telegram id", lambda s: s.telegram_user_id, "number"),
    Column("phone", lambda s: s.phone),
    Column("since", lambda s: s.created_at),
    Column("reason", lambda s: "(erased)" if s.erased else s.reason),
]


@app.command("list")
def list_suppressions(
    q: Annotated[
        str | None, typer.Option("--search", "-q", help="Part of a handle or reason; a whole id or phone.")
    ] = (None),
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """List them in the order they were added."""
    found = ask(lambda r: taken(r.suppressions.list(q=q), limit))
    print_things(found, _COLUMNS, as_json=as_json, nothing="There is nobody.")


@app.command()
def add(
    person: Annotated[str | None, typer.Argument(help="A handle, a phone with +, or a Telegram id.")] = None,
    reason: Annotated[str | None, typer.Option(help="Why.")] = None,
    file: Annotated[
        Path | None, typer.Option(help="CSV with any of telegram_user_id, handle, phone, and reason instead.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Add a person, or all of a CSV file. What waits for them is no longer sent."""
    if (person is None) == (file is None):
        raise typer.BadParameter("give either PERSON or --file")
    if file is not None:
        if reason is not None:
            raise typer.BadParameter("reasons stand in the file", param_hint="--reason")
        if not file.is_file():
            raise CommandError(f"there is no file {file}")
        path = file
        _tell(ask(lambda r: r.suppressions.add_csv(path)), as_json=as_json)
        return
    given = address(person or "")
    done = ask(
        lambda r: r.suppressions.add(
            telegram_user_id=given.get("telegram_user_id"),
            handle=given.get("handle"),
            phone=given.get("phone"),
            reason=reason,
        )
    )
    _tell(done, as_json=as_json)


@app.command()
def delete(
    suppression: Annotated[int, typer.Argument(metavar="NUMBER", min=1, help="Its number in the list.")],
    as_json: Json = False,
) -> None:
    """Take a person off the list: campaigns may write to them again."""
    ask(lambda r: r.suppressions.delete(suppression))
    if as_json:
        print_json({"id": suppression, "deleted": True})
    else:
        note(f"Number {suppression} is off the list.")


def _tell(done: "Suppressed", *, as_json: bool) -> None:
    if as_json:
        print_json(done.as_json())
    else:
        note(f"{done.added} added, {done.already_listed} already listed, {done.rejected} rejected.")
        if done.errors:
            columns = [("line", "number"), ("column", "text"), ("value", "text"), ("reason", "text")]
            print_table(columns, [[line.line, line.column, line.value, line.reason] for line in done.errors])
    if done.rejected and not done.added and not done.already_listed:
        raise CommandError("nobody was added")
