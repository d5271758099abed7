"""Which rows of a log: what the commands of ``relaygram logs`` share."""

from typing import Annotated, Literal

import typer

OfStatus = Annotated[Literal["sent", "failed", "pending"] | None, typer.Option("--status", help="Only these.")]
OfCode = Annotated[str | None, typer.Option("--code", help="Only failures with this code, like PEER_FLOOD.")]
OfContact = Annotated[int | None, typer.Option("--contact", min=1, help="Only this contact.")]
WithText = Annotated[str | None, typer.Option("--search", "-q", help="Part of the text.")]
