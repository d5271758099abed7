"""The log of a campaign: what became of every message."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import datetime
from typing import Literal, TypedDict, Unpack

from relaygram_client.models.logs import LogRow
from relaygram_client.paging import Listing
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


class LogFilter(StateFilter, total=False):
    """The same, and since when and in which order."""

    since: datetime | str | None
    since_id: int | None
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
