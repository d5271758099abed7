"""Reads in one round trip each: a connection says once whom it works for, and each statement makes sure of it.

A transaction would take three round trips for one statement, and they are what a read costs. These connections are used
for nothing else, so that all others keep seeing nothing until a transaction says whose rows it wants.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from typing import Any

import asyncpg

from relaygram_common.database.statements import Statements

_sql = Statements("relaygram_api")
_OTHER_WORKSPACE = "RG001"  # raised by control.demand_workspace


class Reading:
    """Single statements that change nothing. Each has its own snapshot, as in a transaction of ours."""

    def __init__(self, connection: Any, workspace_id: int, answer_seconds: float) -> None:
        self._connection = connection
        self._workspace_id = workspace_id
        self._answer_seconds = answer_seconds

    async def fetch(self, statement: str, *arguments: Any) -> list[asyncpg.Record]:
        """All rows."""
        rows: list[asyncpg.Record] = await self._run(self._connection.fetch, statement, arguments)
        return rows

    async def fetchrow(self, statement: str, *arguments: Any) -> asyncpg.Record | None:
        """The first row."""
        row: asyncpg.Record | None = await self._run(self._connection.fetchrow, statement, arguments)
        return row

    async def fetchval(self, statement: str, *arguments: Any) -> Any:
        """The first value of the first row."""
        return await self._run(self._connection.fetchval, statement, arguments)

    async def _run(self, ask: Any, statement: str, arguments: tuple[Any, ...]) -> Any:
        guarded = _guarded(statement, len(arguments))
        try:
            return await ask(guarded, *arguments, self._workspace_id, timeout=self._answer_seconds)
        except asyncpg.PostgresError as error:
            if error.sqlstate != _OTHER_WORKSPACE:
                raise
        await self.enter()
        return await ask(guarded, *arguments, self._workspace_id, timeout=self._answer_seconds)

    async def enter(self) -> None:
        """From now on the connection works for this workspace."""
        enter = _sql["enter_workspace"].format(workspace_id=int(self._workspace_id))
        await self._connection.execute(enter, timeout=self._answer_seconds)


class Readers:
    """Connections for reading."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", *, answer_seconds: float) -> None:
        self._pool = pool
        self._answer_seconds = answer_seconds
        # For whom each server process works, as far as we know: it is only a hint, the statements make sure.
        self._works_for: dict[int, int] = {}

    @asynccontextmanager
    async def reading(self, workspace_id: int) -> AsyncIterator[Reading]:
        """A connection that sees this workspace, for quick statements: a slow one counts as an absent PostgreSQL."""
        deadline = time.monotonic() + self._answer_seconds
        # Not the pool's own time-out, which makes a task of each wait: a quarter of a read.
        async with asyncio.timeout(self._answer_seconds):
            connection = await self._pool.acquire()
        try:
            reading = Reading(connection, workspace_id, max(0.1, deadline - time.monotonic()))
            if self._works_for.get(pid := connection.get_server_pid()) != workspace_id:
                await reading.enter()
                self._remember(pid, workspace_id)
            yield reading
        except TimeoutError:
            connection.terminate()  # handing it back would wait for the hanging server once more
            raise
        finally:
            await self._pool.release(connection)

    def _remember(self, pid: int, workspace_id: int) -> None:
        if len(self._works_for) > 1000:
            self._works_for.clear()  # of processes that are long gone
        self._works_for[pid] = workspace_id


@cache  # bounded by the statements there are
def _guarded(statement: str, arguments: int) -> str:
    return _sql["guarded_read"].format(statement=statement, workspace=arguments + 1)
