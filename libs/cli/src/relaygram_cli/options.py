"""Options and arguments that several commands have."""

from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
Limit = Annotated[int, typer.Option("--limit", "-n", min=0, help="At most so many; 0 for all.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
AccountId = Annotated[int, typer.Argument(metavar="ACCOUNT", min=1, help="Number of the Telegram account.")]
CampaignId = Annotated[int, typer.Argument(metavar="CAMPAIGN", min=1, help="Number of the campaign.")]
LetterNumber = Annotated[int, typer.Argument(metavar="LETTER", min=1, help="Sequence of the dead letter.")]
OfStream = Annotated[
    str | None, typer.Option("--stream", metavar="STREAM", help="Only messages of this stream, like DELIVERY_EVENTS.")
]


def known_stream(name: str | None) -> str | None:
    """A stream of the topology, also in small letters. Raises BadParameter."""
    if name is None:
        return None
    from relaygram_common.topology import DEAD_LETTERS, STREAMS

    streams = sorted(str(stream.name) for stream in STREAMS if stream.name != DEAD_LETTERS)
    if name.upper() not in streams:
        raise typer.BadParameter(f"{name!r} is none of {', '.join(streams)}", param_hint="--stream")
    return name.upper()
