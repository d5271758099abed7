"""The two servers that every worker stands on, PostgreSQL and NATS: connected, checked at the start and in /readyz."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg
from faststream.nats import NatsBroker
from nats.aio.client import Client
from nats.js import JetStreamContext

from relaygram_common.database.pool import EVERY_WORKSPACE, close_pool, create_pool
from relaygram_common.jetstream.connection import Reconnects, connect, make_broker
from relaygram_common.jetstream.publisher import WindowPublisher
from relaygram_common.runner import Runtime
from relaygram_common.settings import ServiceSettings

_START_SECONDS = 5.0
_READY_SECONDS = 1.5


@dataclass(frozen=True, slots=True)
class Servers:
    """Connections of one process. The client is the broker's; the broker is not started yet."""

    pool: "asyncpg.Pool[asyncpg.Record]"
    broker: NatsBroker
    client: Client
    publisher: WindowPublisher
    reconnects: Reconnects


@asynccontextmanager
async def connected_servers(
    settings: ServiceSettings,
    runtime: Runtime,
    *,
    name: str,
    pool_size: int,
    needs: Callable[[JetStreamContext], Awaitable[object]],
) -> AsyncIterator[Servers]:
    """Connect; disconnect in reverse. `needs` raises unless JetStream has what this service works with.

    Raises OSError, asyncpg.PostgresError or nats.errors.Error when a server is not there.
    """
    pool = await create_pool(
        settings.postgres_dsn, application_name=name, workspace=EVERY_WORKSPACE, max_size=pool_size
    )
    try:
        reconnects = Reconnects()
        broker = make_broker(settings.nats_url, name=f"{name} {settings.instance}", reconnects=reconnects)
        try:
            client = await connect(broker)
            await needs(client.jetstream(timeout=_START_SECONDS))
            publisher = WindowPublisher(client)
            reconnects.listen(publisher.reconnected)
            await publisher.start()
            _show_ready(runtime, pool, client, needs)
            yield Servers(pool, broker, client, publisher, reconnects)
        finally:
            await broker.stop()
    finally:
        await close_pool(pool)


def _show_ready(
    runtime: Runtime,
    pool: "asyncpg.Pool[asyncpg.Record]",
    client: Client,
    needs: Callable[[JetStreamContext], Awaitable[object]],
) -> None:
    async def postgres() -> None:
        await pool.fetchval("SELECT 1", timeout=_READY_SECONDS)

    async def nats() -> None:
        await needs(client.jetstream(timeout=_READY_SECONDS))

    runtime.health.add("postgres", postgres)
    runtime.health.add("nats", nats)
