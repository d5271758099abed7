"""The outbox relay and the log's doorbell over NATS, for which the api never waits.

While NATS is away, commands rest in the outbox, and live streams look each second.
"""

import asyncio
import contextlib
import random
from collections.abc import Callable

import asyncpg
import structlog
from nats.errors import Error as NatsError

from relaygram_api.adapters import nats_bells
from relaygram_common.backoff import backoff_seconds
from relaygram_common.jetstream.connection import Reconnects, connect, make_broker
from relaygram_common.jetstream.publisher import WindowPublisher
from relaygram_common.outbox import OutboxRelay

log = structlog.get_logger(__name__)

_STOP_SECONDS = 5.0


class NatsOutbox:
    """Connects, however long that takes, and relays until cancelled."""

    def __init__(
        self, pool: "asyncpg.Pool[asyncpg.Record]", nats_url: str, *, name: str, ring: Callable[[int], None]
    ) -> None:
        self._pool = pool
        self._nats_url = nats_url
        self._name = name
        self._ring = ring
        self._relay: OutboxRelay | None = None

    def wake(self) -> None:
        """There may be something to relay."""
        if self._relay is not None:
            self._relay.wake()

    async def run(self) -> None:
        """Relay for ever."""
        failures = 0
        while True:
            try:
                await self._connected()
            except (OSError, NatsError) as error:
                failures += 1
                log.warning("nats.away", error=str(error) or type(error).__name__)
                await asyncio.sleep(backoff_seconds(failures, first=0.2, cap=5.0, jitter=random.random()))  # noqa: S311

    async def _connected(self) -> None:
        reconnects = Reconnects()
        broker = make_broker(self._nats_url, name=self._name, reconnects=reconnects)
        try:
            client = await connect(broker)
            await nats_bells.listen(client, self._ring)
            publisher = WindowPublisher(client)
            await publisher.start()
            reconnects.listen(publisher.reconnected)
            self._relay = OutboxRelay(self._pool, client, publisher)
            await self._relay.run()
        finally:
            self._relay = None
            # An error of a connection that is lost anyway must not take the place of a cancellation.
            with contextlib.suppress(OSError, NatsError):
                async with asyncio.timeout(_STOP_SECONDS):
                    await broker.stop()
