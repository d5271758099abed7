"""The ledger in PostgreSQL: nothing is sent without a line in it, committed before; every write names our term."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from relaygram_common.contracts.jobs import SendJob
from relaygram_common.database.statements import Statements
from relaygram_telegram_gateway.adapters.pg_admission import Admitted, Content, admitted_from, columns_of
from relaygram_telegram_gateway.core.limits import Usage
from relaygram_telegram_gateway.core.peer_choice import Peer

_sql = Statements("relaygram_telegram_gateway")
TERM_LOST_SQLSTATE = "RG001"


class TermLostError(Exception):
    """Another gateway runs this account now: everything of it must be dropped at once, without acknowledgements."""


@dataclass(frozen=True, slots=True)
class Sent:
    """Where an attempt went, and with what. Nothing is known of the place when `peer` is None."""

    peer: Peer | None
    text: str | None
    media_id: int | None


@dataclass(frozen=True, slots=True)
class Entry:
    """What to write of one answered attempt."""

    job_id: UUID
    state: str  # accepted, refused, dropped; sending while the outcome is open
    chat: int | None = None
    message_id: int | None = None
    code: str | None = None
    message: str | None = None
    network_failed: bool = False


@dataclass(frozen=True, slots=True)
class Recorded:
    """The ledger's line after the write."""

    state: str
    attempt: int
    network_failures: int
    decided_at: datetime | None


@dataclass(frozen=True, slots=True)
class FoundPeer:
    """A person that was resolved for a job."""

    job_id: UUID
    peer: Peer
    handle: str | None
    phone_hash: bytes | None


class Ledger:
    """The lines of one account under one term."""

    def __init__(
        self, pool: "asyncpg.Pool[asyncpg.Record]", *, workspace_id: int, account_id: int, term: int, max_attempts: int
    ) -> None:
        self._pool = pool
        self._workspace_id = workspace_id
        self._account_id = account_id
        self._term = term
        self._max_attempts = max_attempts

    async def admit(
        self, jobs: Sequence[SendJob], text_of: Callable[[Admitted], str]
    ) -> tuple[dict[UUID, Admitted], dict[UUID, Content]]:
        """Admit a batch and commit; each job's decision, and the content of those that are to be sent.

        The content is that of the first attempt: what is looked up, and sent again, must be the same.
        """
        try:
            async with self._pool.acquire() as connection, connection.transaction():
                rows = await connection.fetch(_sql["admit"], *self._who, *columns_of(jobs))
                admitted = {row["job_id"]: admitted_from(row) for row in rows}
                await self._defer(
                    connection, [job for job in jobs if admitted[job.job_id].decision == "quiet"], admitted
                )
                bodies = await self._keep_bodies(
                    connection, {job: one for job, one in admitted.items() if one.decision == "send"}, text_of
                )
        except asyncpg.PostgresError as error:
            raise _translated(error) from error
        return admitted, bodies

    @property
    def _who(self) -> tuple[int, int, int]:
        return self._account_id, self._term, self._max_attempts

    async def _defer(self, connection: Any, jobs: Sequence[SendJob], admitted: Mapping[UUID, Admitted]) -> None:
        """People whose quiet hours these are: their messages are due when they end."""
        if jobs:
            await connection.execute(
                _sql["defer"],
                [job.job_id for job in jobs],
                [job.campaign_id for job in jobs],
                [job.account_id for job in jobs],
                [job.contact_id for job in jobs],
                [admitted[job.job_id].quiet_until for job in jobs],
            )

    async def _keep_bodies(
        self, connection: Any, sends: Mapping[UUID, Admitted], text_of: Callable[[Admitted], str]
    ) -> dict[UUID, Content]:
        if not sends:
            return {}
        rows = await connection.fetch(
            _sql["keep_bodies"],
            self._account_id,
            self._workspace_id,
            len(sends),
            list(sends),
            [one.sent_body if one.sent_body is not None else text_of(one) for one in sends.values()],
            [one.peer.user_id if one.peer else None for one in sends.values()],
            [next(iter(one.attachments), None) for one in sends.values()],
        )
        return {row["job_id"]: Content(row["body"], row["media_id"]) for row in rows}

    async def record(self, entries: Sequence[Entry]) -> dict[UUID, Recorded]:
        """Write a batch of answers. A job that is missing in the result was decided before."""
        try:
            rows = await self._pool.fetch(
                _sql["record"],
                self._account_id,
                self._term,
                [entry.job_id for entry in entries],
                [entry.state for entry in entries],
                [entry.chat for entry in entries],
                [entry.message_id for entry in entries],
                [entry.code for entry in entries],
                [entry.message for entry in entries],
                [entry.network_failed for entry in entries],
            )
        except asyncpg.PostgresError as error:
            raise _translated(error) from error
        return {
            row["job_id"]: Recorded(row["state"], row["attempt"], row["network_failures"], row["decided_at"])
            for row in rows
        }

    async def withdraw(self, jobs: Sequence[UUID]) -> None:
        """First attempts that never left: as if they had not been admitted."""
        if jobs:
            await self._fenced(("withdraw", self._account_id, self._term, list(jobs)))

    async def snooze(self, jobs: Sequence[UUID], *, never_left: Sequence[UUID]) -> None:
        """Telegram put these attempts off, which uses none of them; of `never_left` there was no other."""
        await self._fenced(("snooze", self._account_id, self._term, list(jobs), list(never_left)))

    async def usage_frees_at(self, *, window_seconds: float, limit: int, first_day: bool) -> datetime | None:
        """When a used-up limit lets something through again."""
        at: datetime | None = await self._pool.fetchval(
            _sql["usage_frees_at"], self._account_id, window_seconds, limit, first_day
        )
        return at

    async def recent_resolves(self) -> list[float]:
        """How many seconds ago people were found by this account, of the last minute."""
        return [row["age_seconds"] for row in await self._pool.fetch(_sql["recent_resolves"], self._account_id)]

    async def close_singles(self, jobs: Sequence[UUID]) -> None:
        """The ends of these test sends are told."""
        await self._pool.execute(_sql["close_singles"], self._account_id, list(jobs))

    async def usage(self) -> Usage:
        """What the account sent in the last hour and day."""
        row = await self._pool.fetchrow(_sql["usage"], self._account_id)
        return Usage(row["last_hour"], row["last_day"]) if row is not None else Usage(0, 0)

    async def open_campaigns(self) -> set[int]:
        """Campaigns, ended ones among them, with messages whose outcome is open; 0 when there are test sends."""
        rows = await self._pool.fetch(_sql["open_campaigns"], self._account_id)
        return {row["campaign_id"] for row in rows}

    async def taken(self, message_ids: Sequence[int], job: UUID) -> set[int]:
        """Which of these messages are other jobs'."""
        rows = await self._pool.fetch(_sql["taken_message_ids"], self._account_id, list(message_ids), job)
        return {row["telegram_message_id"] for row in rows}

    async def chat_of(self, job: UUID) -> Sent:
        """Whom an attempt went to, and what it said and carried."""
        row = await self._pool.fetchrow(_sql["chat_of_send"], job)
        if row is None:
            return Sent(None, None, None)
        known = row["telegram_user_id"] is not None and row["access_hash"] is not None
        peer = Peer(row["telegram_user_id"], row["access_hash"]) if known else None
        return Sent(peer, row["body"], row["media_id"])

    async def keep_peers(self, found: Sequence[FoundPeer]) -> None:
        """Store people, and where their messages go, before anything leaves for them."""
        by_user = {one.peer.user_id: one for one in found}
        # One handle or phone belongs to one person only, also within a batch.
        handles = {one.handle: one.peer.user_id for one in by_user.values() if one.handle}
        phones = {one.phone_hash: one.peer.user_id for one in by_user.values() if one.phone_hash}
        people = list(by_user.values())
        await self._fenced(
            (
                "keep_peers",
                self._account_id,
                self._workspace_id,
                [one.peer.user_id for one in people],
                [one.peer.access_hash for one in people],
                [one.handle if one.handle and handles[one.handle] == one.peer.user_id else None for one in people],
                [
                    one.phone_hash if one.phone_hash and phones[one.phone_hash] == one.peer.user_id else None
                    for one in people
                ],
            ),
            ("keep_chats", [one.job_id for one in found], [one.peer.user_id for one in found]),
        )

    async def to_judge_anew(self, found: Sequence[FoundPeer]) -> set[int]:
        """Who of these people has written to the account, or is suppressed under what is known only now."""
        rows = await self._pool.fetch(
            _sql["to_judge_anew"],
            self._account_id,
            self._workspace_id,
            [one.peer.user_id for one in found],
            [one.handle for one in found],
        )
        return {row["telegram_user_id"] for row in rows}

    async def forget_peer(self, user_id: int) -> None:
        """What is known of this person is out of date."""
        await self._fenced(("forget_peer", self._account_id, user_id))

    async def _fenced(self, *statements: tuple[Any, ...]) -> None:
        try:
            async with self._pool.acquire() as connection, connection.transaction():
                await connection.execute(_sql["demand_term"], self._account_id, self._term)
                for name, *arguments in statements:
                    await connection.execute(_sql[name], *arguments)
        except asyncpg.PostgresError as error:
            raise _translated(error) from error


def _translated(error: asyncpg.PostgresError) -> Exception:
    return TermLostError(str(error)) if error.sqlstate == TERM_LOST_SQLSTATE else error
