"""``relaygram logs``: what became of every message."""

from typing import TYPE_CHECKING, Annotated

import typer

from relaygram_cli.asking import ask
from relaygram_cli.commands.log_options import OfCode, OfContact, OfStatus, WithText
from relaygram_cli.commands.logs_export import export
from relaygram_cli.commands.logs_tail import tail
from relaygram_cli.options import CampaignId, Json, Limit
from relaygram_cli.output import Column, print_things, taken

if TYPE_CHECKING:
    from relaygram_client import LogRow
    from relaygram_client.logs import StateFilter

app = typer.Typer(no_args_is_help=True, help="What became of every message.")
_COLUMNS: "list[Column[LogRow]]" = [
    Column("id", lambda row: row.id, "number"),
    Column("made", lambda row: row.created_at),
    Column("contact", lambda row: row.sender_id, "number"),
    Column("status", lambda row: row.status, "status"),
    Column("error", lambda row: row.error.code if row.error else None),
    Column("sent", lambda row: row.sent_at),
    Column("text", lambda row: row.body, "text"),
]


@app.command("list")
def list_logs(
    campaign: CampaignId,
    status: OfStatus = None,
    code: OfCode = None,
    contact: OfContact = None,
    q: WithText = None,
    newest: Annotated[bool, typer.Option("--newest", help="Newest first.")] = False,
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """List messages in the order they were made; also of a deleted campaign."""
    wanted: StateFilter = {"status": status, "code": code, "sender_id": contact, "q": q}
    found = ask(lambda r: taken(r.logs.list(campaign, **wanted, order="desc" if newest else "asc"), limit))
    print_things(found, _COLUMNS, as_json=as_json, nothing="There are no such messages.")


app.command()(tail)
app.command()(export)
