"""What happens on other channels, for the log."""

from collections.abc import Mapping, Sequence
from typing import Any

from relaygram_client.models.delivery_events import TakenEvents
from relaygram_client.paging import one
from relaygram_client.transport import Transport


class DeliveryEvents:
    """`relaygram.delivery_events`"""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def add(self, events: Sequence[Mapping[str, Any]]) -> TakenEvents:
        """1 to 1,000 events as docs/logs.md has them, times and ids as texts. Adding one again changes nothing."""
        body = {"events": [dict(event) for event in events]}
        return one(TakenEvents, await self._transport.call("POST", "/delivery-events", json=body))
