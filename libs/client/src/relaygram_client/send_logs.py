"""Send logs: who each start of a campaign's message went to."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal
from urllib.parse import quote

from relaygram_client.errors import UnexpectedAnswerError
from relaygram_client.models.send_logs import SendLog, SendLogSearch
from relaygram_client.paging import understood
from relaygram_client.transport import Transport, as_text


class SendLogs:
    """`relaygram.send_logs`"""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def get(self, send_id: str, *, group_destinations: Literal["count", "list"] = "count") -> SendLog:
        """One start; with `list` its `destinations` are handles or ids."""
        path, query = f"/send-logs/{quote(send_id, safe='')}", {"group_destinations": group_destinations}
        return understood(SendLog, _data(await self._transport.call("GET", path, query=query, prefix="")))

    async def search(
        self,
        *,
        campaign_ids: Sequence[int | str] | None = None,
        start_from: datetime | str | None = None,
        start_until: datetime | str | None = None,
        skip: int = 0,
        limit: int = 1000,
    ) -> SendLogSearch:
        """Starts in the order of their times, of these campaigns and between these times, both inclusive."""
        find: dict[str, Any] = {}
        if campaign_ids is not None:
            find["campaign_id"] = [str(one) for one in campaign_ids]
        times = {"$gte": as_text(start_from), "$lte": as_text(start_until)}
        if given := {name: value for name, value in times.items() if value is not None}:
            find["startDeliveryAt"] = given
        body = {"find": find, "options": {"skip": skip, "limit": limit}}
        return understood(SendLogSearch, _data(await self._transport.search("/send-logs/search", json=body, prefix="")))


def _data(content: Any) -> Any:
    if not isinstance(content, dict) or content.get("ok") is not True:
        raise UnexpectedAnswerError("the answer is not as Relaygram's send logs are")
    return content.get("data")
