"""What arrives for one account, in PostgreSQL: how far it is known, who wrote last. Every write names our term."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg

from relaygram_common.database.statements import Statements
from relaygram_telegram_gateway.adapters.pg_ledger import TERM_LOST_SQLSTATE, TermLostError
from relaygram_telegram_gateway.core.arrivals import UpdateState, Written
from relaygram_telegram_gateway.core.peer_choice import Peer

_sql = Statements("relaygram_telegram_gateway")


@dataclass(frozen=True, slots=True)
class RecentChat:
    """A person who got a message lately."""

    peer: Peer
    newest_message_id: int


@dataclass(frozen=True, slots=True)
class Undecided:
    """A person's message that nobody decided for long."""

    peer: Peer
    message_id: int


class UpdateRows:
    """The rows of one account under one term."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", *, workspace_id: int, account_id: int, term: int) -> None:
        self._pool = pool
        self._workspace_id = workspace_id
        self._account_id = account_id
        self._term = term

    async def state(self) -> UpdateState | None:
        """Up to where everything was published; None for an account that was never at work."""
        row = await self._pool.fetchrow(_sql["update_state"], self._account_id)
        return None if row is None else UpdateState(row["pts"], row["qts"], row["date"], row["seq"])

    async def save_state(self, state: UpdateState) -> None:
        """Everything before it is published and acknowledged."""
        await self._fenced(
            ("save_update_state", self._account_id, self._workspace_id, state.pts, state.qts, state.date, state.seq)
        )

    async def note(self, written: Sequence[Written]) -> None:
        """Who wrote, and how they can be answered; before anybody is told."""
        people = {one.from_id: one for one in written if one.access_hash is not None}
        # A handle belongs to one person only, also within a batch.
        owners = {one.handle: one.from_id for one in people.values() if one.handle}
        handles = [one.handle if one.handle and owners[one.handle] == one.from_id else None for one in people.values()]
        statements: list[tuple[Any, ...]] = []
        if people:
            statements.append(
                (
                    "keep_peers",
                    self._account_id,
                    self._workspace_id,
                    list(people),
                    [one.access_hash for one in people.values()],
                    handles,
                    [None for _ in people],
                )
            )
        statements.append(
            (
                "note_inbound",
                self._account_id,
                self._workspace_id,
                [one.from_id for one in written],
                [one.message_id for one in written],
                [one.date for one in written],
            )
        )
        await self._fenced(*statements)

    async def recent_chats(self, messages: int) -> list[RecentChat]:
        """The chats of the last so many messages, the newest first."""
        rows = await self._pool.fetch(_sql["recent_chats"], self._account_id, messages)
        return [RecentChat(Peer(row["telegram_user_id"], row["access_hash"]), row["newest"]) for row in rows]

    async def undecided(self, *, older_than_seconds: float, most: int) -> list[Undecided]:
        """Messages that should have been decided long ago, the oldest first."""
        rows = await self._pool.fetch(_sql["undecided"], self._account_id, older_than_seconds, most)
        return [Undecided(Peer(row["telegram_user_id"], row["access_hash"]), row["message_id"]) for row in rows]

    async def _fenced(self, *statements: tuple[Any, ...]) -> None:
        try:
            async with self._pool.acquire() as connection, connection.transaction():
                await connection.execute(_sql["demand_term"], self._account_id, self._term)
                for name, *arguments in statements:
                    await connection.execute(_sql[name], *arguments)
        except asyncpg.PostgresError as error:
            if error.sqlstate == TERM_LOST_SQLSTATE:
                raise TermLostError(str(error)) from error
            raise
