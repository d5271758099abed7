"""The connection pool of a service, with JSON as Python values and the row-level lock set."""

import asyncio
import json
from typing import Any

import asyncpg

EVERY_WORKSPACE = "*"
_CLOSE_SECONDS = 2.0


async def _initialise(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    for name in ("json", "jsonb"):
        await connection.set_type_codec(name, schema="pg_catalog", encoder=json.dumps, decoder=json.loads)


async def _keep(connection: object) -> None:
    """Nothing to reset, so no round trip for it whenever a connection is given back.

    asyncpg has rolled back by then, and no statement of ours leaves anything in a session (SET LOCAL, transaction
    locks, no LISTEN): a test reads them all.
    """


async def create_pool(
    dsn: str, *, application_name: str, workspace: str = "", min_size: int = 1, max_size: int = 8
) -> "asyncpg.Pool[asyncpg.Record]":
    """A pool whose connections work for `workspace`: an id, EVERY_WORKSPACE for background work, "" for nobody yet.

    Raises OSError or asyncpg.PostgresError when the database can not be reached within 5 s.
    """
    settings: dict[str, Any] = {"application_name": application_name, "relaygram.workspace_id": workspace}
    try:
        return await asyncpg.create_pool(
            dsn,
            min_size=min_size,
            max_size=max_size,
            timeout=5.0,
            command_timeout=10.0,
            max_inactive_connection_lifetime=60.0,
            server_settings=settings,
            init=_initialise,
            reset=_keep,
        )
    except OSError as error:
        reason = error.strerror or str(error) or "no answer"
        raise ConnectionError(
            f"no answer from PostgreSQL ({reason}): is it running, and is RELAYGRAM_POSTGRES_DSN right?"
        ) from None


async def close_pool(pool: "asyncpg.Pool[asyncpg.Record]") -> None:
    """Part politely, but not at any price: a statement that hangs must not hold up the end of a process."""
    try:
        async with asyncio.timeout(_CLOSE_SECONDS):
            await pool.close()
    except TRANSIENT_ERRORS:
        pool.terminate()


# What a statement raises when PostgreSQL is away, restarting or overloaded, so that trying again may help.
TRANSIENT_ERRORS: tuple[type[BaseException], ...] = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    asyncpg.QueryCanceledError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.TransactionTimeoutError,
    asyncpg.InsufficientResourcesError,
    asyncpg.InternalClientError,  # so asyncpg calls a connection that was lost while it switched states
)
