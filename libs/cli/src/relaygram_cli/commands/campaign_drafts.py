"""``relaygram campaigns create`` and ``update``."""

from typing import TYPE_CHECKING, Annotated, Literal, cast

import typer

from relaygram_cli.asking import ask
from relaygram_cli.commands.campaign_options import takes_options
from relaygram_cli.commands.campaign_view import show_campaign
from relaygram_cli.options import CampaignId, Json

if TYPE_CHECKING:
    from relaygram_client.campaigns import CampaignChanges, CampaignOptions

_Mode = Literal["broadcast", "auto_reply"]


@takes_options
def create(
    name: Annotated[str, typer.Option(help="Its name.")],
    account: Annotated[int, typer.Option(min=1, help="Number of the Telegram account that sends.")],
    mode: Annotated[_Mode, typer.Option(help="Write to contacts, or answer a keyword.")] = "broadcast",
    as_json: Json = False,
    *,
    body: str | None,
    options: "CampaignOptions",
) -> None:
    """Make a campaign, as a draft."""
    if body is None and options.get("attachments"):
        body = ""  # a photo may go without words
    if body is None:
        raise typer.BadParameter("give --text or --text-file")
    text = body
    campaign = ask(
        lambda r: r.campaigns.create(name=name, mode=mode, telegram_account_id=account, body=text, **options)
    )
    show_campaign(campaign, as_json=as_json)


@takes_options
def update(
    campaign: CampaignId,
    name: Annotated[str | None, typer.Option(help="Its name.")] = None,
    account: Annotated[int | None, typer.Option(min=1, help="The account that sends; in a draft only.")] = None,
    mode: Annotated[_Mode | None, typer.Option(help="In a draft only.")] = None,
    as_json: Json = False,
    *,
    body: str | None,
    options: "CampaignOptions",
) -> None:
    """Change a campaign; what is not given stays."""
    changes = cast("CampaignChanges", {**options})
    if name is not None:
        changes["name"] = name
    if account is not None:
        changes["telegram_account_id"] = account
    if mode is not None:
        changes["mode"] = mode
    if body is not None:
        changes["body"] = body
    if not changes:
        raise typer.BadParameter("give at least one thing to change")
    show_campaign(ask(lambda r: r.campaigns.update(campaign, **changes)), as_json=as_json)
