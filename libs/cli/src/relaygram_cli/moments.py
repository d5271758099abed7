"""Points in time as a person gives them."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
_SPAN = re.compile(r"([1-9][0-9]{0,4})([hdw])")
Expires = Annotated[
    str | None, typer.Option("--expires", metavar="TIME", help="When it ends: 30d, 12h, 4w, or 2026-12-31T00:00:00Z.")
]


def moment(text: str | None) -> datetime | None:
    """From now on by a span, or an ISO 8601 time with its offset. Raises BadParameter."""
    if text is None:
        return None
    span = _SPAN.fullmatch(text)
    if span:
        return datetime.now(UTC) + int(span[1]) * _UNITS[span[2]]
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        parsed = None
    if parsed is None or parsed.tzinfo is None:
        raise typer.BadParameter(f"{text!r} is neither like 30d nor like 2026-12-31T00:00:00Z", param_hint="--expires")
    return parsed.astimezone(UTC)
