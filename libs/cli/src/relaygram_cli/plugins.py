"""Commands of other packages: entry points of the group ``relaygram.commands``, loaded when they are asked for.

So a command that is slow to load, or whose package is broken, costs the others nothing.
"""

from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from typing import Any

import typer
from typer.core import TyperGroup

GROUP = "relaygram.commands"


def installed() -> dict[str, EntryPoint]:
    """Entry points by name; those whose module is not there are left out."""
    return {entry.name: entry for entry in entry_points(group=GROUP) if _exists(entry.module)}


class PluginGroup(TyperGroup):
    """A group of own commands and, behind them, those of other packages."""

    def list_commands(self, ctx: Any) -> list[str]:
        """All names; own ones first."""
        own = super().list_commands(ctx)
        return [*own, *sorted(set(installed()) - set(own))]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """An own command, or one of another package, loaded now."""
        own = super().get_command(ctx, cmd_name)
        if own is not None:
            return own
        entry = installed().get(cmd_name)
        if entry is None:
            return None
        single = typer.Typer(add_completion=False)
        single.command(name=cmd_name)(entry.load())
        return typer.main.get_command(single)


def _exists(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False
