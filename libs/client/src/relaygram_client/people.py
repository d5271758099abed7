"""Forgetting a person."""

from relaygram_client.models.people import Erasure
from relaygram_client.paging import one
from relaygram_client.transport import Transport


class People:
    """`relaygram.people`"""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def erase(
        self, *, telegram_user_id: int | None = None, handle: str | None = None, phone: str | None = None
    ) -> Erasure:
        """Take names, texts and addresses of a person out of contacts and logs, for ever."""
        given = {"telegram_user_id": telegram_user_id, "handle": handle, "phone": phone}
        body = {name: value for name, value in given.items() if value is not None}
        return one(Erasure, await self._transport.call("POST", "/people/erase", json=body))
