"""Removes kept answers older than a day, log-in tries, rate limits and tickets that no longer count, and forgets which
delivery events were taken two weeks ago: a few rows at a time."""

import asyncio
import random

import structlog

from relaygram_api.adapters import pg_delivery_events, pg_limits, pg_tickets
from relaygram_api.adapters.pg_workspace import Database, is_transient

log = structlog.get_logger(__name__)

_BATCH = 500
_PAUSE_SECONDS = 60.0


class PruneWorker:
    """Runs until cancelled; any number of them may run."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def run(self) -> None:
        """Work for ever, also through outages of PostgreSQL."""
        while True:
            try:
                pruned = max(
                    await pg_limits.prune(self._database, _BATCH),
                    await pg_delivery_events.prune(self._database, _BATCH),
                    await pg_tickets.prune(self._database, _BATCH),
                )
            except Exception as error:
                if not is_transient(error):
                    raise
                log.warning("prune.delayed", error=str(error) or type(error).__name__)
                pruned = 0
            # Nothing here is urgent, and the replicas need not all do it in the same moment.
            pause = 0.1 if pruned >= _BATCH else _PAUSE_SECONDS
            await asyncio.sleep(pause * (0.5 + random.random()))  # noqa: S311
