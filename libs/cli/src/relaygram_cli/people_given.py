"""People and their columns as a person types them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from relaygram_client.campaigns import TestPerson

With = Annotated[
    list[str] | None, typer.Option("--with", metavar="COLUMN=VALUE", help="What the text asks for; repeatable.")
]


def columns(given: Sequence[str] | None) -> dict[str, str]:
    """`first_name=Jane` by name. Raises BadParameter."""
    found: dict[str, str] = {}
    for one in given or ():
        name, equals, value = one.partition("=")
        if not equals or not name.strip():
            raise typer.BadParameter(f"{one!r} is not like first_name=Jane", param_hint="--with")
        found[name.strip()] = value
    return found


def address(text: str) -> "TestPerson":
    """A phone by its +, a Telegram id by its digits, else a handle."""
    if text.startswith("+"):
        return {"phone": text}
    if text.isascii() and text.isdecimal():
        return {"telegram_user_id": int(text)}
    return {"handle": text}
