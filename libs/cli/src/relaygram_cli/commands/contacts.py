"""``relaygram contacts``: the people of a campaign."""

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from relaygram_cli.asking import ask
from relaygram_cli.commands import contacts_import
from relaygram_cli.options import CampaignId, Json, Limit
from relaygram_cli.output import Column, note, print_json, print_things, taken

if TYPE_CHECKING:
    from relaygram_client import Sender

app = typer.Typer(no_args_is_help=True, help="The people of a campaign.")
app.command("import")(contacts_import.import_contacts)

_COLUMNS: "list[Column[Sender]]" = [
    Column("id", lambda s: s.id, "number"),
    Column("handle", lambda s: s.handle),
    Column("Telegram id", lambda s: s.telegram_user_id, "number"),
    Column("name", lambda s: " ".join(part for part in (s.first_name, s.last_name) if part)),
    Column("status", lambda s: s.status, "status"),
    Column("last message", lambda s: s.last_message_at),
    Column("last reply", lambda s: s.last_reply_at),
    Column("tags", lambda s: s.tags),
]


@app.command("list")
def list_contacts(
    campaign: CampaignId,
    status: Annotated[
        Literal["pending", "sent", "replied", "failed"] | None, typer.Option(help="Only those of this status.")
    ] = None,
    q: Annotated[str | None, typer.Option("--search", "-q", help="Part of a name or handle.")] = None,
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """List the people of a campaign, in the order they were added."""
    found = ask(lambda r: taken(r.contacts.list(campaign, status=status, q=q), limit))
    print_things(
        found, _COLUMNS, as_json=as_json, nothing=f"There is nobody: relaygram contacts import {campaign} people.csv"
    )


@app.command()
def delete(
    campaign: CampaignId,
    contact: Annotated[int, typer.Argument(metavar="CONTACT", min=1, help="Number of the contact.")],
    as_json: Json = False,
) -> None:
    """Take a person out of a campaign; the log keeps what was."""
    ask(lambda r: r.contacts.remove(campaign, contact))
    if as_json:
        print_json({"id": contact, "campaign_id": campaign, "deleted": True})
    else:
        note(f"Contact {contact} is out of campaign {campaign}.")
