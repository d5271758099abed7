"""``relaygram people erase``: forget a person."""

from typing import TYPE_CHECKING, Annotated

import typer

from relaygram_cli.asking import ask
from relaygram_cli.options import Json, Yes
from relaygram_cli.output import Column, print_thing
from relaygram_cli.people_given import address
from relaygram_cli.prompts import sure

if TYPE_CHECKING:
    from relaygram_client import Erasure

app = typer.Typer(no_args_is_help=True, help="People in all campaigns.")
_FIELDS: "list[Column[Erasure]]" = [
    Column("contacts", lambda e: e.contacts),
    Column("messages in logs", lambda e: e.messages),
    Column("texts in the ledger", lambda e: e.ledger_entries),
    Column("known to accounts", lambda e: e.peers),
    Column("suppressions", lambda e: e.suppressions),
    Column("lines of imports", lambda e: e.import_errors),
    Column("gone from streams by", lambda e: e.streams_forget_by),
]


@app.callback()
def people() -> None:
    """People in all campaigns."""


@app.command()
def erase(
    person: Annotated[str, typer.Argument(help="A handle, a phone with +, or a Telegram id.")],
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Take a person's names, texts and addresses out of everything, for ever; nobody writes to them again."""
    given = address(person)
    sure(f"Forget {person} for ever?", yes=yes)
    done = ask(
        lambda r: r.people.erase(
            telegram_user_id=given.get("telegram_user_id"), handle=given.get("handle"), phone=given.get("phone")
        )
    )
    print_thing(done, _FIELDS, as_json=as_json)
