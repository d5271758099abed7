"""``relaygram login``, ``logout`` and ``whoami``."""

import platform
from typing import TYPE_CHECKING, Annotated

import typer

from relaygram_cli.asking import ask
from relaygram_cli.errors import CommandError
from relaygram_cli.options import Json
from relaygram_cli.output import Column, note, print_json, print_thing
from relaygram_cli.prompts import asked, demand_terminal, secret
from relaygram_cli.saved_login import (
    DEFAULT_URL,
    TOKEN_VARIABLE,
    URL_VARIABLE,
    Login,
    current_login,
    forget_login,
    save_login,
    travels_openly,
)

if TYPE_CHECKING:
    from relaygram_client import Me, Relaygram

_ME: "list[Column[Me]]" = [
    Column("user", lambda me: f"{me.name} <{me.email}>"),
    Column("workspace", lambda me: f"{me.workspace.name} ({me.workspace.id})"),
    Column("token", lambda me: f"{me.token.name} ({me.token.id})"),
    Column("abilities", lambda me: me.token.abilities),
    Column("expires", lambda me: me.token.expires_at),
]


def login(
    url: Annotated[
        str, typer.Argument(envvar=URL_VARIABLE, help="Where the API is, like https://relaygram.example.com.")
    ] = DEFAULT_URL,
    email: Annotated[str | None, typer.Option(help="Asked for where it is not given.")] = None,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input.")
    ] = False,
    token_stdin: Annotated[
        bool, typer.Option("--token-stdin", help="Save a token that there is already, from standard input.")
    ] = False,
    name: Annotated[str | None, typer.Option(help="What to call the new token.")] = None,
    as_json: Json = False,
) -> None:
    """Log in with e-mail and password, and keep the token for further commands."""
    if travels_openly(url):
        note(f"Careful: {url} is not encrypted; everybody on the way can read password and token.")
    if token_stdin:
        token = secret("Token", from_stdin=True, option="--token-stdin")
    else:
        if email is None:
            demand_terminal("E-mail", "give --email")
            email = asked("E-mail")
        password = secret("Password", from_stdin=password_stdin, option="--password-stdin")
        device = name or f"relaygram on {platform.node() or 'a computer'}"[:255]
        made = ask(lambda r: r.session.login(email, password, device_name=device), Login(url, None))
        token = made.token
    login = Login(url, token)
    me = ask(lambda r: r.session.me(), login)
    path = save_login(login)
    if as_json:
        print_json({"url": url, "user": me.email, "workspace": me.workspace.name, "saved_in": str(path)})
    else:
        note(f"Logged in as {me.email} in workspace {me.workspace.name}; the token is kept in {path}.")


def logout(as_json: Json = False) -> None:
    """Revoke the saved token and forget it."""
    import os

    if os.environ.get(TOKEN_VARIABLE):
        raise CommandError(
            f"the token comes from {TOKEN_VARIABLE}, not from relaygram login",
            what_to_do="revoke it by its number: relaygram tokens revoke",
        )
    if current_login().token is None:
        note("Nobody is logged in.")
    else:
        was_valid = ask(_revoked)
        forget_login()
        note("Logged out." if was_valid else "The token was no longer valid; it is forgotten.")
    if as_json:
        print_json({"logged_in": False})


def whoami(as_json: Json = False) -> None:
    """Show user, workspace and abilities of the saved token."""
    print_thing(ask(lambda r: r.session.me()), _ME, as_json=as_json)


async def _revoked(relaygram: "Relaygram") -> bool:
    from relaygram_client import UnauthenticatedError

    try:
        await relaygram.session.logout()
    except UnauthenticatedError:
        return False
    return True
