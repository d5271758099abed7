"""Ending tasks for sure, and waiting between two turns of a loop."""

import asyncio
import contextlib
from collections.abc import Iterable
from typing import Any

_AGAIN_SECONDS = 0.25


async def cancel_and_wait(tasks: "Iterable[asyncio.Task[Any]]") -> None:
    """Cancel and wait until all have ended; their errors are theirs.

    One cancel is not always enough: before Python 3.12 `asyncio.wait_for`, which the clients of NATS and PostgreSQL
    use, loses a cancellation that comes in the moment of its answer, and a loop around it would go on for ever.
    """
    pending = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        ended, pending = await asyncio.wait(pending, timeout=_AGAIN_SECONDS)
        for task in ended:
            if not task.cancelled():
                task.exception()  # looked at, so that asyncio does not complain that nobody did


async def set_or_timeout(event: asyncio.Event, seconds: float | None) -> None:
    """Return when somebody sets the event, at the latest after so many seconds; None: no such bound."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
