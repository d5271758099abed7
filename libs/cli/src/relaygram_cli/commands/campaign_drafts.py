"""``relaygram campaigns create`` and ``update``."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, cast

import typer

from relaygram_cli.asking import ask
from relaygram_cli.commands.campaign_view import show_campaign
from relaygram_cli.errors import CommandError
from relaygram_cli.options import CampaignId, Json

if TYPE_CHECKING:
    from relaygram_client.campaigns import CampaignChanges, CampaignOptions

_Mode = Literal["broadcast", "auto_reply"]
_Text = Annotated[str | None, typer.Option("--text", help="What is sent, like 'Hello {{first_name|there}}'.")]
_TextFile = Annotated[
    Path | None, typer.Option("--text-file", allow_dash=True, help="The same from a file; - is standard input.")
]
_Keyword = Annotated[str | None, typer.Option(help="An auto_reply answers who writes this.")]
_At = Annotated[str | None, typer.Option(help="When it starts by itself, like 2026-04-21T16:00:00Z; none: not.")]
_TimeZone = Annotated[str | None, typer.Option(help="Of contacts that have none, like Europe/Berlin.")]
_Quiet = Annotated[str | None, typer.Option(help="When nobody is written to, like 21:00-08:00; none: no such hours.")]
_Reference = Annotated[str | None, typer.Option(help="Your own name for it in the logs.")]
_Entity = Annotated[str | None, typer.Option(help="platform.entityId in the channel logs.")]
_Application = Annotated[str | None, typer.Option(help="platform.applicationId in the channel logs.")]


def create(
    name: Annotated[str, typer.Option(help="Its name.")],
    account: Annotated[int, typer.Option(min=1, help="Number of the Telegram account that sends.")],
    text: _Text = None,
    text_file: _TextFile = None,
    mode: Annotated[_Mode, typer.Option(help="Write to contacts, or answer a keyword.")] = "broadcast",
    keyword: _Keyword = None,
    at: _At = None,
    time_zone: _TimeZone = None,
    quiet_hours: _Quiet = None,
    reference: _Reference = None,
    entity: _Entity = None,
    application: _Application = None,
    as_json: Json = False,
) -> None:
    """Make a campaign, as a draft."""
    body = _body(text, text_file)
    if body is None:
        raise typer.BadParameter("give --text or --text-file")
    options = _options(keyword, at, time_zone, quiet_hours, reference, entity, application)
    campaign = ask(
        lambda r: r.campaigns.create(name=name, mode=mode, telegram_account_id=account, body=body, **options)
    )
    show_campaign(campaign, as_json=as_json)


def update(
    campaign: CampaignId,
    name: Annotated[str | None, typer.Option(help="Its name.")] = None,
    account: Annotated[int | None, typer.Option(min=1, help="The account that sends; in a draft only.")] = None,
    text: _Text = None,
    text_file: _TextFile = None,
    mode: Annotated[_Mode | None, typer.Option(help="In a draft only.")] = None,
    keyword: _Keyword = None,
    at: _At = None,
    time_zone: _TimeZone = None,
    quiet_hours: _Quiet = None,
    reference: _Reference = None,
    entity: _Entity = None,
    application: _Application = None,
    as_json: Json = False,
) -> None:
    """Change a campaign; what is not given stays."""
    options = _options(keyword, at, time_zone, quiet_hours, reference, entity, application)
    changes = cast("CampaignChanges", {**options})
    body = _body(text, text_file)
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


def _body(text: str | None, file: Path | None) -> str | None:
    if text is not None and file is not None:
        raise typer.BadParameter("give --text or --text-file, not both")
    if file is None:
        return text
    try:
        read = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    except OSError as error:
        raise CommandError(f"cannot read {file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise CommandError(f"{file} is not text in UTF-8") from error
    return read.removesuffix("\n")


def _options(
    keyword: str | None,
    at: str | None,
    time_zone: str | None,
    quiet_hours: str | None,
    reference: str | None,
    entity: str | None,
    application: str | None,
) -> "CampaignOptions":
    """What was given; `none` takes a thing away."""
    options: CampaignOptions = {}
    if keyword is not None:
        options["trigger_keyword"] = keyword
    if at is not None:
        options["scheduled_at"] = _or_none(at)
    if time_zone is not None:
        options["time_zone"] = _or_none(time_zone)
    if quiet_hours is not None:
        options["quiet_hours"] = None
        if quiet_hours != "none":
            start, dash, end = quiet_hours.partition("-")
            if not dash:
                raise typer.BadParameter(f"{quiet_hours!r} is not like 21:00-08:00", param_hint="--quiet-hours")
            options["quiet_hours"] = {"start": start.strip(), "end": end.strip()}
    if reference is not None:
        options["reference"] = _or_none(reference)
    if entity is not None:
        options["entity_id"] = _or_none(entity)
    if application is not None:
        options["application_id"] = _or_none(application)
    return options


def _or_none(text: str) -> str | None:
    return None if text == "none" else text
