"""One change that a request makes: a transaction that knows who makes it and why, and what the caller is told of it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import Response

from relaygram_api.adapters.pg_workspace import Connection
from relaygram_api.answers import answer
from relaygram_api.parts import Caller, Parts


class Change:
    """The transaction, and the answer that belongs to it."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.told: Response | None = None

    def answer(self, data: Any, *, status: int = 200) -> Response:
        """One thing: what the caller is told when this commits."""
        self.told = answer(data, status=status)
        return self.told

    def nothing(self) -> Response:
        """204: it is done, and there is nothing to show."""
        self.told = Response(status_code=204)
        return self.told


@asynccontextmanager
async def changing(parts: Parts, caller: Caller) -> AsyncIterator[Change]:
    """A transaction in the caller's workspace; commits at the end and wakes the outbox, or rolls back."""
    keyed = caller.keyed
    async with parts.database.workspace(caller.workspace_id, caller.author) as connection:
        change = Change(connection)
        yield change
        if keyed is not None and change.told is not None:
            await keyed.keep(connection, change.told)
    if keyed is not None and change.told is not None:
        keyed.is_kept = True
    parts.wake_outbox()
