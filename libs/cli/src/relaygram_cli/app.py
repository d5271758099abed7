"""The command tree. Other packages add to it: see plugins.py."""

from importlib.metadata import version
from typing import Annotated

import typer

from relaygram_cli.commands import (
    accounts,
    audit,
    campaigns,
    contacts,
    dead_letters,
    logs,
    media,
    people,
    session,
    suppressions,
    token,
    tokens,
    user,
    workspace,
)
from relaygram_cli.commands.doctor import doctor
from relaygram_cli.commands.migrate import migrate
from relaygram_cli.commands.provision import provision
from relaygram_cli.plugins import PluginGroup

app = typer.Typer(
    cls=PluginGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # a traceback is for us, and shows no values of variables
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"relaygram {version('relaygram-cli')}")
        raise typer.Exit


@app.callback()
def relaygram(
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Telegram campaigns that lose nothing and double nothing, self-hosted."""


_API = "With the API"
_INSTALLATION = "At the installation (PostgreSQL and NATS)"

app.command(rich_help_panel=_API)(session.login)
app.command(rich_help_panel=_API)(session.logout)
app.command(rich_help_panel=_API)(session.whoami)
for name, noun in (
    ("accounts", accounts),
    ("campaigns", campaigns),
    ("media", media),
    ("contacts", contacts),
    ("suppressions", suppressions),
    ("people", people),
    ("logs", logs),
    ("tokens", tokens),
):
    app.add_typer(noun.app, name=name, rich_help_panel=_API)
app.command(rich_help_panel=_API)(audit.audit)
for name, noun in (("workspace", workspace), ("user", user), ("token", token)):
    app.add_typer(noun.app, name=name, rich_help_panel=_INSTALLATION)
app.add_typer(dead_letters.app, name="dead-letters", rich_help_panel=_INSTALLATION)
app.command(rich_help_panel=_INSTALLATION)(doctor)
app.command(rich_help_panel=_INSTALLATION)(migrate)
app.command(rich_help_panel=_INSTALLATION)(provision)
