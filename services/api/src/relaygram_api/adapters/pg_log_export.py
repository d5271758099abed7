"""The log as bytes that PostgreSQL writes itself: COPY of a range of positions, kept until its transaction is over."""

from typing import Any, Final

from relaygram_api.adapters.pg_campaigns import like
from relaygram_api.adapters.pg_workspace import Connection, sql
from relaygram_api.core.log_export import Extent, Format, LogFilter

# Below the 5 s that PostgreSQL itself gives a transaction.
_COPY_SECONDS: Final = 4.0
# JSON has neither of these two characters, so that COPY quotes nothing and its lines are the JSON as it is.
_LINES: Final[dict[str, Any]] = {"format": "csv", "quote": "\x01", "delimiter": "\x02"}
_CSV: Final[dict[str, Any]] = {"format": "csv"}


class TooLargeError(Exception):
    """The rows of the range take more bytes than they may."""


async def extent(connection: Connection, campaign_id: int, wanted: LogFilter) -> Extent | None:
    """What there is to export at this moment; None when there never was such a campaign."""
    row = await connection.fetchrow(sql["log_export_extent"], campaign_id, wanted.since, wanted.since_id)
    return None if row is None else Extent(row["first"], row["last"])


async def rows(
    connection: Connection, campaign_id: int, output: Format, wanted: LogFilter, part: Extent, *, most_bytes: int
) -> list[bytes]:
    """The rows of these positions. Raises TooLargeError, but not for a single row."""
    pieces: list[bytes] = []
    room = most_bytes

    async def keep(piece: bytes) -> None:
        nonlocal room
        room -= len(piece)
        if room < 0 and part.first < part.last:
            raise TooLargeError
        pieces.append(piece)

    pattern = None if wanted.q is None else like(wanted.q)
    arguments = (campaign_id, part.first, part.last, wanted.status, wanted.sender_id, wanted.code, pattern)
    if output == "ndjson":
        statement, form = sql["log_export_json"], _LINES
    else:
        statement, form = sql["log_export_columns"], _CSV
        arguments = (*arguments, output == "csv")  # type: ignore[assignment]  # one more
    await connection.copy_from_query(statement, *arguments, output=keep, timeout=_COPY_SECONDS, **form)
    return pieces
