"""The owner's connection, and its statements."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import asyncpg

from relaygram_common.database.statements import Statements

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]

sql = Statements("relaygram_common")


@asynccontextmanager
async def owner_transaction(dsn: str) -> "AsyncIterator[Connection]":
    """One transaction on a connection of its own; the owner sees every workspace."""
    connection = await asyncpg.connect(dsn, timeout=5, command_timeout=10)
    try:
        async with connection.transaction():
            yield connection
    finally:
        await connection.close(timeout=2)
