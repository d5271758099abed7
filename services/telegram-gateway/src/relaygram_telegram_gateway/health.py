"""What /readyz asks: are the servers there that nothing works without?"""

from collections.abc import Awaitable, Callable

import asyncpg
from nats.aio.client import Client


def nats_check(client: Client) -> Callable[[], Awaitable[None]]:
    """Raises when JetStream does not answer."""

    async def check() -> None:
        if not client.is_connected:
            raise ConnectionError("not connected to NATS")
        await client.jetstream(timeout=1.5).account_info()

    return check


def database_check(pool: "asyncpg.Pool[asyncpg.Record]") -> Callable[[], Awaitable[None]]:
    """Raises when PostgreSQL does not answer."""

    async def check() -> None:
        await pool.fetchval("SELECT 1", timeout=1.5)

    return check
