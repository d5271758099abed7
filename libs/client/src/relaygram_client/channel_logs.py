"""What was sent over a channel in the last 48 hours: Telegram, and those whose gateways report to us."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Literal, TypedDict, Unpack
from urllib.parse import quote

from pydantic.alias_generators import to_camel

from relaygram_client.models.channel_logs import ChannelLog, ChannelLogRow
from relaygram_client.paging import understood
from relaygram_client.transport import Transport

_LARGEST_PAGE = 1000
Many = str | Sequence[str] | None


class ChannelFilter(TypedDict, total=False):
    """Which messages. Times are exclusive."""

    sender: str | None
    destination: str | None
    bulk_id: Many
    message_id: Many
    general_status: Literal["ACCEPTED", "PENDING", "UNDELIVERABLE", "DELIVERED", "EXPIRED", "REJECTED"] | None
    sent_since: datetime | str | None
    sent_until: datetime | str | None
    entity_id: str | None
    application_id: str | None
    campaign_reference_id: Many


class ChannelLogs:
    """`relaygram.channel_logs`"""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def list(self, channel: str, **wanted: Unpack[ChannelFilter]) -> AsyncIterator[ChannelLogRow]:
        """All messages, newest first; page by page while it is iterated. `channel` is like telegram, messenger, sms."""
        cursor: str | None = None
        while True:
            page = await self.page(channel, limit=_LARGEST_PAGE, cursor=cursor, **wanted)
            for row in page.results:
                yield row
            cursor = page.cursor.next_cursor if page.cursor is not None else None
            if cursor is None:
                return

    async def page(
        self, channel: str, *, limit: int = 50, cursor: str | None = None, **wanted: Unpack[ChannelFilter]
    ) -> ChannelLog:
        """One page; `cursor` is the `cursor.next_cursor` of the page before."""
        given = {to_camel(name): _listed(value) for name, value in wanted.items()}
        query = {**given, "limit": limit, "useCursor": "true", "cursor": cursor}
        return understood(
            ChannelLog, await self._transport.call("GET", f"/{quote(channel, safe='')}/1/logs", query=query, prefix="")
        )


def _listed(value: object) -> object:
    """Several as the API takes them."""
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ",".join(str(one) for one in value)
    return value
