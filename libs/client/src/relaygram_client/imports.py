"""How far an import is, and every line that it could not take."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager

from relaygram_client.errors import ImportFailedError
from relaygram_client.models.contacts import Import, ImportedLineError
from relaygram_client.paging import Listing, one
from relaygram_client.transport import Transport

_POLL_SECONDS = 0.5


class Imports:
    """`relaygram.imports`"""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def get(self, import_id: int) -> Import:
        """One import."""
        return one(Import, await self._transport.call("GET", f"/imports/{import_id}"))

    async def wait(
        self, import_id: int, *, timeout_seconds: float = 3600.0, on_progress: Callable[[Import], None] | None = None
    ) -> Import:
        """Poll until it is completed. Raises ImportFailedError or TimeoutError."""
        async with asyncio.timeout(timeout_seconds):
            while True:
                found = await self.get(import_id)
                if on_progress is not None:
                    on_progress(found)
                if found.status == "failed":
                    raise ImportFailedError(f"import {import_id} failed: {found.message or 'no reason was given'}")
                if found.status == "completed":
                    return found
                await asyncio.sleep(_POLL_SECONDS)

    def errors(self, import_id: int) -> Listing[ImportedLineError]:
        """Why lines were rejected, in the order of the file."""
        return Listing(self._transport, f"/imports/{import_id}/errors", ImportedLineError, per_page=1000)

    def errors_csv(self, import_id: int) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """The same as a CSV file, in pieces: `async with … as pieces: async for piece in pieces`."""
        return self._transport.download(f"/imports/{import_id}/errors", query={"format": "csv"})
