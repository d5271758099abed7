"""``relaygram campaigns steps``: the messages of a sequence."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from relaygram_cli.asking import ask
from relaygram_cli.commands.campaign_options import text_of
from relaygram_cli.errors import CommandError
from relaygram_cli.options import CampaignId, Json
from relaygram_cli.output import Column, note, print_things

if TYPE_CHECKING:
    from collections.abc import Sequence

    from relaygram_client import FollowUp, Step

app = typer.Typer(no_args_is_help=True, help="The messages of a sequence.")
_UNITS = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))


def _duration(seconds: float) -> str:
    """Such as 3d or 90min: in the largest unit that leaves nothing over."""
    for unit, length in _UNITS:
        if seconds and seconds % length == 0:
            return f"{seconds // length:g}{unit}"
    return f"{seconds:g}s"


def _follow_up(one: "FollowUp") -> str:
    return f"after {_duration(one.after_hours * 3600)}: {one.body}"


_COLUMNS: "list[Column[Step]]" = [
    Column("step", lambda s: s.position, "number"),
    Column("id", lambda s: s.step_id, "number"),
    Column("after", lambda s: _duration(s.delay_seconds) if s.position else "", "number"),
    Column("text", lambda s: s.body),
    Column("media", lambda s: s.attachments),
    Column("without a reply", lambda s: [_follow_up(one) for one in s.followups]),
]


@app.command()
def show(campaign: CampaignId, as_json: Json = False) -> None:
    """Show the steps in their order; with --json as `set` takes them."""
    _show(ask(lambda r: r.campaigns.steps(campaign)), as_json=as_json)


@app.command("set")
def set_steps(
    campaign: CampaignId,
    file: Annotated[Path, typer.Argument(allow_dash=True, help="A JSON list of steps; - is standard input.")],
    as_json: Json = False,
) -> None:
    """Put the steps of a file in place of those there are; [] sends the campaign's text instead.

    A step has a body, and may have delay_seconds, attachments, followups (each after_hours and body), and step_id:
    the number of a step that is there and is to stay the same one.
    """
    steps = _read(file)
    _show(ask(lambda r: r.campaigns.replace_steps(campaign, steps)), as_json=as_json)


def _read(file: Path) -> list[Any]:
    try:
        read = json.loads(text_of(file))
    except ValueError as error:
        raise CommandError(f"{file} is not JSON: {error}") from error
    steps = read.get("steps") if isinstance(read, dict) else read
    if not isinstance(steps, list) or not all(isinstance(step, dict) for step in steps):
        raise CommandError(f"{file} is not a list of steps", what_to_do='write it like [{"body": "Hello"}]')
    return steps


def _show(steps: "Sequence[Step]", *, as_json: bool) -> None:
    print_things(steps, _COLUMNS, as_json=as_json, nothing="There are no steps: the campaign sends its text.")
    if steps and not as_json:
        note("The campaign's own text is not sent.")
