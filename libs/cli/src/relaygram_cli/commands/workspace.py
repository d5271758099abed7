"""``relaygram workspace``: who shares campaigns, accounts and logs."""

from typing import Annotated

import typer

from relaygram_cli.options import Json
from relaygram_cli.output import note, print_json, print_rows
from relaygram_cli.owning import Dsn, own

app = typer.Typer(no_args_is_help=True, help="Workspaces of this installation; each sees nothing of the others.")


@app.command()
def create(name: Annotated[str, typer.Argument(help="Its name.")], dsn: Dsn, as_json: Json = False) -> None:
    """Make a workspace."""
    from relaygram_common import identity

    workspace_id = own(identity.create_workspace(dsn, name))
    if as_json:
        print_json({"id": workspace_id, "name": name.strip()})
    else:
        note(f"Workspace {name.strip()} is made. Next: relaygram user create EMAIL --workspace {name.strip()!r}")


@app.command("list")
def list_workspaces(dsn: Dsn, as_json: Json = False) -> None:
    """List all workspaces."""
    from relaygram_common import identity

    columns = [("id", "number"), ("name", "text"), ("users", "number"), ("created_at", "text")]
    print_rows(
        own(identity.list_workspaces(dsn)),
        columns,
        as_json=as_json,
        nothing="There are no workspaces yet: relaygram workspace create NAME",
    )
