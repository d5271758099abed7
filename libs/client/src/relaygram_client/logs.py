"""The log of a campaign: what became of every message."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from pathlib import Path
from typing import Literal, TypedDict, Unpack

from relaygram_client.log_export import ExportFormat, pieces_of_export, write_whole
from relaygram_client.log_stream import LogStream, OnOpen
from relaygram_client.models.logs import LogRow, StreamTicket
from relaygram_client.paging import Listing, one
from relaygram_client.transport import Transport

_PER_PAGE = 200


class LastingFilter(TypedDict, total=False):
    """Which rows, by what never changes in a row."""

    sender_id: int | None
    q: str | None


class StateFilter(LastingFilter, total=False):
    """Which rows, also by what has become of them."""

    status: Literal["sent", "failed", "pending"] | None
    code: str | None


class ExportFilter(StateFilter, total=False):
    """The same, and since when."""

    since: datetime | str | None
    since_id: int | None


class LogFilter(ExportFilter, total=False):
    """The same, and in which order."""

    order: Literal["asc", "desc"]
    changed_since: int | None


class Logs:
    """`relaygram.logs`"""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self, campaign_id: int, **wanted: Unpack[LogFilter]) -> Listing[LogRow]:
        """Every message of the campaign in the order they were made; also of a deleted campaign."""
        path = f"/campaigns/{campaign_id}/logs"
        return Listing(self._transport, path, LogRow, {**wanted}, per_page=_PER_PAGE)

    def list_all(
        self,
        *,
        since: datetime | str | None = None,
        order: Literal["asc", "desc"] = "asc",
        **wanted: Unpack[StateFilter],
    ) -> Listing[LogRow]:
        """Every message of every campaign, also of deleted ones; page by cursor only."""
        query = {**wanted, "since": since, "order": order}
        return Listing(self._transport, "/logs", LogRow, query, per_page=_PER_PAGE)

    def stream(
        self,
        campaign_id: int,
        *,
        changed_since: int | None = None,
        silence_seconds: float = 45.0,
        longest_outage_seconds: float = 300.0,
        on_open: OnOpen | None = None,
    ) -> AsyncGenerator[LogRow, None]:
        """Rows the moment they are made and whenever they change, for ever; from now on, or after a `revision`.

        It comes back by itself when the connection breaks or is silent for `silence_seconds` (three of the server's
        heartbeats), goes on where it was, tells no change twice and leaves none out: a row that changed twice
        meanwhile comes once, as it is. It raises what keeps it from coming back, at the latest after
        `longest_outage_seconds`. `on_open` is called whenever it is connected, with the revision it begins after.
        """
        return LogStream(
            self._transport,
            campaign_id,
            changed_since=changed_since,
            silence_seconds=silence_seconds,
            longest_outage_seconds=longest_outage_seconds,
            on_open=on_open,
        ).rows()

    async def stream_ticket(self, campaign_id: int) -> StreamTicket:
        """Lets a browser, whose EventSource can not send a token, open this stream: once, within a minute."""
        return one(StreamTicket, await self._transport.call("POST", f"/campaigns/{campaign_id}/logs/stream-ticket"))

    def export(
        self, campaign_id: int, *, format: ExportFormat = "csv", gzip: bool = False, **wanted: Unpack[ExportFilter]
    ) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """All rows that are there now as one file, in pieces: `async with … as pieces: async for piece in pieces`.

        With `gzip` the pieces are compressed (csv and ndjson). An export that breaks off raises NoAnswerError.
        """
        return pieces_of_export(self._transport, campaign_id, format=format, gzip=gzip, wanted=wanted)

    async def export_file(
        self,
        campaign_id: int,
        path: Path | str,
        *,
        format: ExportFormat = "csv",
        gzip: bool = False,
        on_piece: Callable[[bytes], None] | None = None,
        **wanted: Unpack[ExportFilter],
    ) -> None:
        """The same into a file, which is there only when it is whole. `on_piece` is called with each piece written."""
        async with self.export(campaign_id, format=format, gzip=gzip, **wanted) as pieces:
            await write_whole(Path(path), pieces, on_piece)

    async def tail(
        self, campaign_id: int, *, since_id: int = 0, poll_seconds: float = 1.0, **wanted: Unpack[LastingFilter]
    ) -> AsyncGenerator[LogRow, None]:
        """Rows as they are made, for ever: each once, none left out, beginning after `since_id`."""
        while True:
            found = await self.list(campaign_id, **wanted, since_id=since_id, order="asc").page()
            for row in found.things:
                since_id = row.id
                yield row
            if len(found.things) < _PER_PAGE:
                await asyncio.sleep(poll_seconds)

    async def tail_changes(
        self, campaign_id: int, *, changed_since: int = 0, poll_seconds: float = 1.0, **wanted: Unpack[StateFilter]
    ) -> AsyncGenerator[LogRow, None]:
        """Rows as they are made and whenever they change (sent, failed, read, …), for ever."""
        while True:
            found = await self.list(campaign_id, **wanted, changed_since=changed_since).page()
            for row in found.things:
                changed_since = row.revision
                yield row
            if len(found.things) < _PER_PAGE:
                await asyncio.sleep(poll_seconds)
