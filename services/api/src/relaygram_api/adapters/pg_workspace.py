"""Transactions of one workspace: what row-level security lets through is decided here, in one round trip."""

import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg

from relaygram_api.adapters.pg_reading import Readers
from relaygram_common.database.pool import TRANSIENT_ERRORS
from relaygram_common.database.statements import Statements

sql = Statements("relaygram_api")

# SQLSTATEs: the connection is lost, resources are short, an operator intervened or lets nobody connect; a transaction
# took too long.
_AWAY = ("08", "53", "57", "55000")
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


_PLAIN = re.compile(r"[A-Za-z0-9:_-]{0,80}")


@dataclass(frozen=True, slots=True)
class Author:
    """Whom the audit log names for a change."""

    actor: str
    token_id: int | None
    request_id: str


class Database:
    """The pool, with a bound on how long an absent server may keep a request waiting."""

    def __init__(
        self, pool: "asyncpg.Pool[asyncpg.Record]", readers: "asyncpg.Pool[asyncpg.Record]", *, answer_seconds: float
    ) -> None:
        self.pool = pool
        # Quick single statements that change nothing, in one round trip each: `database.reading(workspace_id)`.
        self.reading = Readers(readers, answer_seconds=answer_seconds).reading
        self._answer_seconds = answer_seconds

    @asynccontextmanager
    async def workspace(self, workspace_id: int, author: Author | None = None) -> AsyncIterator[Connection]:
        """A transaction that sees this workspace; commits at the end, or rolls back. `author` is who changes things."""
        begin = _begin(workspace_id, author)
        async with self._connection(lambda connection, seconds: connection.execute(begin, timeout=seconds)) as (
            connection,
            _,
        ):
            try:
                yield connection
            except BaseException:
                if not is_lost(connection):
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


def is_lost(connection: Connection) -> bool:
    """Whether there is nobody to roll back any more: PostgreSQL undoes what a lost connection had begun."""
    try:
        closed: bool = connection.is_closed()
    except asyncpg.InterfaceError:  # the pool has parted from it already
        return True
    return closed


def _begin(workspace_id: int, author: Author | None) -> str:
    """A simple query takes no parameters, so what is put in must be plain."""
    begin = sql["begin_in_workspace"].format(workspace_id=int(workspace_id))
    if author is None:
        return begin
    if not _PLAIN.fullmatch(author.actor) or not _PLAIN.fullmatch(author.request_id):
        raise ValueError("an author's name or a request id that is not plain")
    token_id = "" if author.token_id is None else int(author.token_id)
    names = sql["name_author"].format(actor=author.actor, token_id=token_id, request_id=author.request_id)
    return f"{begin}; {names}"
