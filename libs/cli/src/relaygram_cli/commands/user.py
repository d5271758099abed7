"""``relaygram user``: the people of an installation."""

from typing import TYPE_CHECKING, Annotated

import typer

from relaygram_cli.options import Json
from relaygram_cli.output import note, print_json, print_rows, row_as_json
from relaygram_cli.owning import Dsn, own
from relaygram_cli.prompts import secret

if TYPE_CHECKING:
    from relaygram_common.identity import UserRow

app = typer.Typer(no_args_is_help=True, help="Users of this installation.")
_COLUMNS = [
    ("id", "number"), ("workspace", "text"), ("email", "text"), ("name", "text"), ("disabled_at", "text"),
    ("created_at", "text"),
]  # fmt: skip

_Email = Annotated[str, typer.Argument(metavar="EMAIL", help="The user's e-mail address.")]
_FromStdin = Annotated[bool, typer.Option("--password-stdin", help="Read the password from standard input.")]
_Generate = Annotated[bool, typer.Option("--generate", help="Make a password, and print it once.")]


@app.command()
def create(
    email: _Email,
    workspace: Annotated[str, typer.Option(help="Name of the user's workspace.")],
    dsn: Dsn,
    name: Annotated[str | None, typer.Option(help="The user's name; else the e-mail's first part.")] = None,
    password_stdin: _FromStdin = False,
    generate: _Generate = False,
    as_json: Json = False,
) -> None:
    """Make a user, who may then log in."""
    from relaygram_common import identity

    password = _password(from_stdin=password_stdin, generate=generate)
    user_id = own(identity.create_user(dsn, email=email, password=password, workspace=workspace, name=name))
    _tell(f"User {email} is made.", {"id": user_id, "email": email}, password if generate else None, as_json=as_json)


@app.command("list")
def list_users(
    dsn: Dsn,
    workspace: Annotated[str | None, typer.Option(help="Only those of this workspace.")] = None,
    as_json: Json = False,
) -> None:
    """List users, also those that are disabled."""
    from relaygram_common import identity

    users = own(identity.list_users(dsn, workspace=workspace))
    print_rows(
        users, _COLUMNS, as_json=as_json, nothing="There are no users: relaygram user create EMAIL --workspace NAME"
    )


@app.command()
def disable(email: _Email, dsn: Dsn, as_json: Json = False) -> None:
    """Let a user log in no more, and refuse its tokens. Nothing is deleted."""
    from relaygram_common import identity

    _tell_state(own(identity.disable_user(dsn, email)), as_json=as_json)


@app.command()
def enable(email: _Email, dsn: Dsn, as_json: Json = False) -> None:
    """The opposite of disable; tokens that have not ended are valid again."""
    from relaygram_common import identity

    _tell_state(own(identity.enable_user(dsn, email)), as_json=as_json)


@app.command("set-password")
def set_password(
    email: _Email,
    dsn: Dsn,
    password_stdin: _FromStdin = False,
    generate: _Generate = False,
    revoke_tokens: Annotated[
        bool, typer.Option("--revoke-tokens", help="Revoke all tokens of the user as well.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Give a user another password."""
    from relaygram_common import identity

    password = _password(from_stdin=password_stdin, generate=generate)
    revoked = own(identity.set_password(dsn, email, password, revoke_tokens=revoke_tokens))
    said = f"User {email} has a new password; {revoked} tokens are revoked."
    _tell(said, {"email": email, "revoked_tokens": revoked}, password if generate else None, as_json=as_json)


def _password(*, from_stdin: bool, generate: bool) -> str:
    from relaygram_common import identity

    if from_stdin and generate:
        raise typer.BadParameter("give --password-stdin or --generate, not both")
    if generate:
        return identity.generate_password()
    return secret("Password", from_stdin=from_stdin, option="--password-stdin or --generate", confirm=True)


def _tell(said: str, fields: dict[str, object], password: str | None, *, as_json: bool) -> None:
    if as_json:
        print_json({**fields, **({} if password is None else {"password": password})})
        return
    note(said)
    if password is not None:
        note("The password, which can not be shown again:")
        typer.echo(password)


def _tell_state(user: "UserRow", *, as_json: bool) -> None:
    if as_json:
        print_json(row_as_json(user))
    else:
        note(f"User {user.email} is {'disabled: its tokens are refused' if user.disabled_at else 'enabled'}.")
