"""Transactions of one workspace: what row-level security lets through is decided here, in one round trip."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from relaygram_common.database.pool import TRANSIENT_ERRORS
from relaygram_common.database.statements import Statements

sql = Statements("relaygram_api")

# SQLSTATEs: the connection is lost, resources are short, an operator intervened; a transaction took too long.
_AWAY = ("08", "53", "57")
_TOO_LONG = ("25P03", "25P04")

Connection = Any  # asyncpg's connection, or the pool's proxy of it
Pool = asyncpg.Pool


def is_transient(error: BaseException) -> bool:
    """Whether PostgreSQL was away or overloaded, so that trying again may help.

    asyncpg reports a value that does not fit with the base class of lost connections: that is our own fault.
    """
    state: str = getattr(error, "sqlstate", None) or ""
    if isinstance(error, TRANSIENT_ERRORS):
        return not isinstance(error, ValueError)
    return state.startswith(_AWAY) or state in _TOO_LONG


class Database:
    """The pool, with a bound on how long an absent server may keep a request waiting."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", *, answer_seconds: float) -> None:
        self.pool = pool
        self._answer_seconds = answer_seconds

    @asynccontextmanager
    async def workspace(self, workspace_id: int) -> AsyncIterator[Connection]:
        """A transaction that sees this workspace; commits at the end, or rolls back."""
        begin = sql["begin_in_workspace"].format(workspace_id=int(workspace_id))
        async with self._connection(lambda connection, seconds: connection.execute(begin, timeout=seconds)) as (
            connection,
            _,
        ):
            try:
                yield connection
            except BaseException:
                if not connection.is_closed():
                    await connection.execute(sql["rollback"], timeout=self._answer_seconds)
                raise
            await connection.execute(sql["commit"], timeout=5.0)

    async def fetch_for_nobody(self, name: str, *arguments: Any) -> asyncpg.Record | None:
        """One row of a function that looks up whose a token or e-mail is; no workspace is seen."""
        async with self._connection(
            lambda connection, seconds: connection.fetchrow(sql[name], *arguments, timeout=seconds)
        ) as (_, row):
            found: asyncpg.Record | None = row
            return found

    async def answers(self) -> None:
        """Raise when PostgreSQL does not answer."""
        async with self._connection(lambda connection, seconds: connection.execute("SELECT 1", timeout=seconds)):
            return

    @asynccontextmanager
    async def _connection(
        self, first: Callable[[Connection, float], Awaitable[Any]]
    ) -> AsyncIterator[tuple[Connection, Any]]:
        """A connection and the answer to its first statement, which is trivial: if it hangs, PostgreSQL hangs."""
        deadline = time.monotonic() + self._answer_seconds
        async with self.pool.acquire(timeout=self._answer_seconds) as connection:
            try:
                answer = await first(connection, max(0.1, deadline - time.monotonic()))
            except TimeoutError:
                connection.terminate()  # handing it back would wait for the hanging server once more
                raise
            yield connection, answer
