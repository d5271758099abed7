"""``relaygram token``: API tokens of anybody, made without a password."""

from typing import Annotated

import typer

from relaygram_cli.moments import Expires, moment
from relaygram_cli.options import Json
from relaygram_cli.output import note, print_json, print_rows
from relaygram_cli.owning import Dsn, own

app = typer.Typer(no_args_is_help=True, help="API tokens of all users of this installation.")
_COLUMNS = [
    ("id", "number"), ("email", "text"), ("name", "text"), ("abilities", "text"), ("last_used_at", "text"),
    ("expires_at", "text"), ("revoked_at", "text"), ("created_at", "text"),
]  # fmt: skip


@app.command()
def create(
    email: Annotated[str, typer.Argument(metavar="EMAIL", help="Whose token it is.")],
    dsn: Dsn,
    name: Annotated[str, typer.Option(help="What it is for.")] = "command line",
    ability: Annotated[
        list[str] | None, typer.Option(help="Like campaigns:read; repeatable. Without it: everything (*).")
    ] = None,
    expires: Expires = None,
    as_json: Json = False,
) -> None:
    """Make a token; it is shown once."""
    from relaygram_common import identity

    until = moment(expires)
    token = own(identity.create_token(dsn, email, name, ability or ["*"], until))
    number = int(token.partition("|")[0])
    if as_json:
        print_json({"id": number, "email": email, "name": name, "abilities": ability or ["*"], "token": token})
    else:
        note(f"Token {number} of {email} is made. It can not be shown again:")
        typer.echo(token)


@app.command("list")
def list_tokens(
    dsn: Dsn,
    email: Annotated[str | None, typer.Option(help="Only this user's.")] = None,
    with_ended: Annotated[bool, typer.Option("--all", help="Also those that are revoked or expired.")] = False,
    as_json: Json = False,
) -> None:
    """List tokens; their secrets are nowhere."""
    from relaygram_common import identity

    tokens = own(identity.list_tokens(dsn, email=email, with_ended=with_ended))
    print_rows(tokens, _COLUMNS, as_json=as_json, nothing="There are no tokens.")


@app.command()
def revoke(
    token: Annotated[int, typer.Argument(metavar="TOKEN", min=1, help="Its number.")],
    dsn: Dsn,
    as_json: Json = False,
) -> None:
    """Revoke anybody's token."""
    from relaygram_common import identity

    own(identity.revoke_token(dsn, token))
    if as_json:
        print_json({"id": token, "revoked": True})
    else:
        note(f"Token {token} is revoked.")
