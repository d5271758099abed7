"""``relaygram campaigns``: making, showing and changing them, and their life."""

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from relaygram_cli.asking import ask
from relaygram_cli.commands import campaign_drafts, campaign_steps, campaign_trials
from relaygram_cli.commands.campaign_view import COLUMNS, show_campaign
from relaygram_cli.options import CampaignId, Json, Limit, Yes
from relaygram_cli.output import note, print_json, print_things, taken
from relaygram_cli.prompts import sure

if TYPE_CHECKING:
    from relaygram_client import Campaign

app = typer.Typer(no_args_is_help=True, help="Campaigns: broadcasts and auto-replies.")
app.command()(campaign_drafts.create)
app.command()(campaign_drafts.update)
app.command()(campaign_trials.preview)
app.command("test")(campaign_trials.send_test)
app.command()(campaign_trials.stats)
app.add_typer(campaign_steps.app, name="steps")

Status = Literal["draft", "running", "paused", "completed", "stopped"]
Mode = Literal["broadcast", "auto_reply"]


@app.command("list")
def list_campaigns(
    status: Annotated[Status | None, typer.Option(help="Only those of this status.")] = None,
    mode: Annotated[Mode | None, typer.Option(help="Only those of this mode.")] = None,
    q: Annotated[str | None, typer.Option("--search", "-q", help="Part of the name.")] = None,
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """List campaigns, newest first."""
    found = ask(lambda r: taken(r.campaigns.list(status=status, mode=mode, q=q), limit))
    print_things(found, COLUMNS, as_json=as_json, nothing="There are no such campaigns.")


@app.command()
def show(campaign: CampaignId, as_json: Json = False) -> None:
    """Show a campaign with its counts."""
    show_campaign(ask(lambda r: r.campaigns.get(campaign)), as_json=as_json)


@app.command()
def start(campaign: CampaignId, as_json: Json = False) -> None:
    """Start or resume a campaign."""
    _tell(ask(lambda r: r.campaigns.start(campaign)), as_json=as_json)


@app.command()
def pause(campaign: CampaignId, as_json: Json = False) -> None:
    """Halt a campaign until the next start."""
    _tell(ask(lambda r: r.campaigns.pause(campaign)), as_json=as_json)


@app.command()
def stop(campaign: CampaignId, yes: Yes = False, as_json: Json = False) -> None:
    """End a campaign for good; what waits is discarded."""
    sure(f"End campaign {campaign} for good?", yes=yes)
    _tell(ask(lambda r: r.campaigns.stop(campaign)), as_json=as_json)


@app.command()
def delete(campaign: CampaignId, yes: Yes = False, as_json: Json = False) -> None:
    """Take a campaign out of every list; its log stays readable by its number."""
    sure(f"Delete campaign {campaign}?", yes=yes)
    ask(lambda r: r.campaigns.delete(campaign))
    if as_json:
        print_json({"id": campaign, "deleted": True})
    else:
        note(f"Campaign {campaign} is deleted.")


def _tell(campaign: "Campaign", *, as_json: bool) -> None:
    if as_json:
        print_json(campaign.as_json())
        return
    why = f" ({campaign.status_reason})" if campaign.status_reason else ""
    counts = f"{campaign.sent_count} sent, {campaign.failed_count} failed, {campaign.pending_count} pending"
    note(f"Campaign {campaign.id} is {campaign.status}{why}: {counts}.")
