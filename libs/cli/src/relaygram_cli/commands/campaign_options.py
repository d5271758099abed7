"""Options that ``relaygram campaigns create`` and ``update`` have in common, declared once."""

import inspect
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from relaygram_cli.errors import CommandError

if TYPE_CHECKING:
    from relaygram_client.campaigns import CampaignChanges, CampaignOptions

Command = Callable[..., None]


def takes_options(command: Command) -> Command:
    """Add the options of `_given` to a command, which gets those that were given as `body` and `options`."""
    shared = inspect.signature(_given).parameters
    own = [one for name, one in inspect.signature(command).parameters.items() if name not in ("body", "options")]
    *before, last = own  # the last is --json, in every command

    @wraps(command)
    def wrapped(**values: Any) -> None:
        options = _given(**{name: values.pop(name) for name in shared})
        command(**values, body=options.pop("body", None), options=cast("CampaignOptions", options))

    parameters = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in (*before, *shared.values(), last)]
    wrapped.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # what Typer reads
    wrapped.__annotations__ = {one.name: one.annotation for one in parameters}
    return wrapped


def _given(
    text: Annotated[str | None, typer.Option("--text", help="What is sent, like 'Hello {{first_name|there}}'.")] = None,
    text_file: Annotated[
        Path | None, typer.Option("--text-file", allow_dash=True, help="The same from a file; - is standard input.")
    ] = None,
    attach: Annotated[
        str | None, typer.Option(metavar="MEDIA|none", help="Number of a photo or file that goes with it.")
    ] = None,
    keyword: Annotated[str | None, typer.Option(help="An auto_reply answers who writes this.")] = None,
    at: Annotated[
        str | None, typer.Option(help="When it starts by itself, like 2026-04-21T16:00:00Z; none: not.")
    ] = None,
    time_zone: Annotated[str | None, typer.Option(help="Of contacts that have none, like Europe/Berlin.")] = None,
    quiet_hours: Annotated[
        str | None, typer.Option(help="When nobody is written to, like 21:00-08:00; none: no such hours.")
    ] = None,
    reference: Annotated[str | None, typer.Option(help="Your own name for it in the logs.")] = None,
    entity: Annotated[str | None, typer.Option(help="platform.entityId in the channel logs.")] = None,
    application: Annotated[str | None, typer.Option(help="platform.applicationId in the channel logs.")] = None,
) -> "CampaignChanges":
    """What was given; `none` takes a thing away."""
    options: CampaignChanges = {}
    if (body := _body(text, text_file)) is not None:
        options["body"] = body
    if attach is not None:
        options["attachments"] = _attached(attach)
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


def _body(text: str | None, file: Path | None) -> str | None:
    if text is not None and file is not None:
        raise typer.BadParameter("give --text or --text-file, not both")
    return text if file is None else text_of(file).removesuffix("\n")


def text_of(file: Path) -> str:
    """A file's text; `-` is standard input. Raises CommandError."""
    try:
        return sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    except OSError as error:
        raise CommandError(f"cannot read {file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise CommandError(f"{file} is not text in UTF-8") from error


def _attached(text: str) -> list[int]:
    if text == "none":
        return []
    if not (text.isascii() and text.isdecimal()):
        raise typer.BadParameter(f"{text!r} is neither a number nor none", param_hint="--attach")
    return [int(text)]


def _or_none(text: str) -> str | None:
    return None if text == "none" else text
