"""People whom no campaign of the workspace writes to."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from relaygram_client.models.people import Suppressed, Suppression
from relaygram_client.paging import Listing, one
from relaygram_client.transport import Transport
from relaygram_client.uploads import of_file


class Suppressions:
    """`relaygram.suppressions`"""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self, *, q: str | None = None) -> Listing[Suppression]:
        """In the order they were added; `q` is part of a handle or reason, or a whole id or phone."""
        return Listing(self._transport, "/suppressions", Suppression, {"q": q})

    async def add(
        self,
        *,
        telegram_user_id: int | None = None,
        handle: str | None = None,
        phone: str | None = None,
        reason: str | None = None,
    ) -> Suppressed:
        """One person, by any address."""
        given = {"telegram_user_id": telegram_user_id, "handle": handle, "phone": phone, "reason": reason}
        return await self._add({name: value for name, value in given.items() if value is not None})

    async def add_many(self, people: Sequence[Mapping[str, Any]]) -> Suppressed:
        """Up to 10,000 people, each with any of `telegram_user_id`, `handle`, `phone`, and a `reason`."""
        return await self._add({"people": [dict(person) for person in people]})

    async def add_csv(self, file: Path | str) -> Suppressed:
        """The people of a CSV file with any of these columns."""
        path = Path(file)
        if not await asyncio.to_thread(path.is_file):
            raise FileNotFoundError(f"there is no file {path}")
        answer = await self._transport.upload("/suppressions", lambda: of_file(path), "text/csv", repeatable=True)
        return one(Suppressed, answer)

    async def delete(self, suppression_id: int) -> None:
        """Take a person off the list."""
        await self._transport.call("DELETE", f"/suppressions/{suppression_id}")

    async def _add(self, body: Mapping[str, Any]) -> Suppressed:
        return one(Suppressed, await self._transport.call("POST", "/suppressions", json=body))
