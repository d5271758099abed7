"""Transactions of one workspace: what row-level security lets through is decided here, in one round trip."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from relaygram_common.database.statements import Statements

sql = Statements("relaygram_api")

Connection = Any  # asyncpg's connection, or the pool's proxy of it
Pool = asyncpg.Pool


class Database:
    """The pool, with a bound on how long an absent server may keep a request waiting."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", *, answer_seconds: float) -> None:
        self.pool = pool
        self._answer_seconds = answer_seconds

    @asynccontextmanager
    async def workspace(self, workspace_id: int) -> AsyncIterator[Connection]:
        """A transaction that sees this workspace; commits at the end, or rolls back."""
        async with self.pool.acquire(timeout=self._answer_seconds) as connection:
            begin = sql["begin_in_workspace"].format(workspace_id=int(workspace_id))
            await connection.execute(begin, timeout=self._answer_seconds)
            try:
                yield connection
            except BaseException:
                if not connection.is_closed():
                    await connection.execute(sql["rollback"], timeout=self._answer_seconds)
                raise
            await connection.execute(sql["commit"], timeout=5.0)

    @asynccontextmanager
    async def nobody(self) -> AsyncIterator[Connection]:
        """A connection that sees no workspace: for the functions that look up whose a token is."""
        async with self.pool.acquire(timeout=self._answer_seconds) as connection:
            yield connection

    async def fetch_for_nobody(self, name: str, *arguments: Any) -> asyncpg.Record | None:
        """One row of a look-up function."""
        async with self.nobody() as connection:
            row: asyncpg.Record | None = await connection.fetchrow(sql[name], *arguments, timeout=self._answer_seconds)
            return row

    async def answers(self) -> None:
        """Raise when PostgreSQL does not answer."""
        async with self.nobody() as connection:
            await connection.execute("SELECT 1", timeout=self._answer_seconds)
