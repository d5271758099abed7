"""The command tree. Other packages add to it: see plugins.py."""

from importlib.metadata import version
from typing import Annotated

import typer

from relaygram_cli.commands.migrate import migrate
from relaygram_cli.commands.provision import provision
from relaygram_cli.plugins import PluginGroup

app = typer.Typer(
    cls=PluginGroup,
    no_args_is_help=True,
    add_completion=False,
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


app.command()(migrate)
app.command()(provision)
