"""``relaygram tokens``: further tokens of oneself."""

from typing import TYPE_CHECKING, Annotated

import typer

from relaygram_cli.asking import ask
from relaygram_cli.moments import Expires, moment
from relaygram_cli.options import Json, Limit
from relaygram_cli.output import Column, note, print_json, print_things, taken

if TYPE_CHECKING:
    from relaygram_client import Token

app = typer.Typer(no_args_is_help=True, help="Your own API tokens.")
_COLUMNS: "list[Column[Token]]" = [
    Column("id", lambda t: t.id, "number"),
    Column("name", lambda t: t.name),
    Column("abilities", lambda t: t.abilities),
    Column("last used", lambda t: t.last_used_at),
    Column("expires", lambda t: t.expires_at),
    Column("made", lambda t: t.created_at),
]


@app.command("list")
def list_tokens(limit: Limit = 100, as_json: Json = False) -> None:
    """List your tokens that are neither revoked nor expired."""
    found = ask(lambda r: taken(r.tokens.list(), limit))
    print_things(found, _COLUMNS, as_json=as_json, nothing="There are no tokens.")


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="What it is for.")],
    ability: Annotated[
        list[str] | None, typer.Option(help="Like logs:read; repeatable. Without it: all that you may do.")
    ] = None,
    expires: Expires = None,
    as_json: Json = False,
) -> None:
    """Make a token; it is shown once."""
    until = moment(expires)
    made = ask(lambda r: r.tokens.create(name, abilities=ability, expires_at=until))
    if as_json:
        print_json(made.as_json())
    else:
        note(f"Token {made.id} is made. It can not be shown again:")
        typer.echo(made.token)


@app.command()
def revoke(
    token: Annotated[int, typer.Argument(metavar="TOKEN", min=1, help="Its number.")], as_json: Json = False
) -> None:
    """Revoke one of your tokens, at once."""
    ask(lambda r: r.tokens.revoke(token))
    if as_json:
        print_json({"id": token, "revoked": True})
    else:
        note(f"Token {token} is revoked.")
