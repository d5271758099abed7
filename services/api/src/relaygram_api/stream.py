"""One live stream: its place in the log, whether there is something to do, and why it ended."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from relaygram_api.caller import Caller


class NotTakenError(Exception):
    """The client does not read, or its stream ended while it did not."""


class Stream:
    """One client's."""

    def __init__(self, caller: Caller, campaign_id: int, after: int) -> None:
        self.caller = caller
        self.campaign_id = campaign_id
        # The revision up to which it has been told.
        self.after = after
        self.why_ended: str | None = None
        self._something = asyncio.Event()
        self._something.set()
        self._patience: asyncio.Timeout | None = None

    def wake(self) -> None:
        """There may be something new."""
        self._something.set()

    def looks(self) -> None:
        """It looks now: what comes from now on is for the next look."""
        if self.why_ended is None:
            self._something.clear()

    def wake_in(self, seconds: float) -> None:
        """It looks again later."""
        asyncio.get_running_loop().call_later(seconds, self.wake)

    def end(self, why: str) -> None:
        """No more, even if it waits for its client. The first reason counts."""
        if self.why_ended is not None:
            return
        self.why_ended = why
        self._something.set()
        if self._patience is not None:
            self._patience.reschedule(asyncio.get_running_loop().time())

    async def something(self, seconds: float) -> bool:
        """Wait for something to do, so long at most; whether there is."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._something.wait()
        return self._something.is_set()

    @asynccontextmanager
    async def patience(self, seconds: float) -> AsyncIterator[None]:
        """Wait for the client so long at most, and no longer than the stream lives. Raises NotTakenError."""
        try:
            async with asyncio.timeout(seconds) as self._patience:
                yield
        except TimeoutError:
            raise NotTakenError from None
        finally:
            self._patience = None
