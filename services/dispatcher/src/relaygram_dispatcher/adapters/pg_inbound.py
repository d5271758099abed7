"""What people write, in PostgreSQL: one message, one transaction, decided once."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import asyncpg

from relaygram_common.contracts.delivery import delivery_event
from relaygram_common.contracts.ids import job_id
from relaygram_common.contracts.public_events import InboundMessage
from relaygram_common.contracts.states import MessageState
from relaygram_common.database.statements import Statements
from relaygram_dispatcher.core.matching import AutoReply
from relaygram_dispatcher.core.pages import sender_name

_sql = Statements("relaygram_dispatcher")
_NAME_CHARACTERS = 100
_PRUNE_AT_ONCE = 500


class UnknownAccountError(ValueError):
    """The message names an account that its workspace does not have."""


class Undecided:
    """A message that nobody has decided yet; what is done here is done when its transaction commits."""

    def __init__(self, connection: "asyncpg.pool.PoolConnectionProxy[asyncpg.Record]", message: InboundMessage) -> None:
        self._connection = connection
        self._message = message
        self._handle = _clean(message.from_handle, "@").lower() or None
        self._first_name = _clean(message.from_first_name)[:_NAME_CHARACTERS] or None

    async def auto_replies(self, *, cooldown_seconds: float) -> list[AutoReply]:
        """The campaigns of the account that may answer somebody."""
        message = self._message
        rows = await self._connection.fetch(_sql["auto_replies"], message.account_id, message.from_id, cooldown_seconds)
        return [AutoReply(**row) for row in rows]

    async def note_reply(self, *, opted_out: bool) -> None:
        """Who was written to before has answered."""
        message = self._message
        await self._connection.execute(
            _sql["note_reply"],
            message.workspace_id,
            message.account_id,
            message.from_id,
            message.message_id,
            message.date,
            opted_out,
        )

    async def answer(self, campaign_id: int, *, expires_at: datetime) -> int | None:
        """The person as a sender of the campaign, who gets its text now; None: it answers nobody any more."""
        message = self._message
        contact_id: int | None = await self._connection.fetchval(
            _sql["ensure_sender"],
            message.workspace_id,
            campaign_id,
            message.from_id,
            self._handle,
            self._first_name,
        )
        if contact_id is None:
            return None
        await self._connection.execute(
            _sql["make_answer"],
            job_id("auto_reply", campaign_id, contact_id, trigger=message.message_id),
            message.workspace_id,
            campaign_id,
            message.account_id,
            contact_id,
            message.message_id,
            expires_at,
            message.from_id,
        )
        return contact_id

    async def note_decision(self, decision: str, campaign_id: int | None = None, contact_id: int | None = None) -> None:
        """What became of the message, `nothing` aside."""
        await self._connection.execute(
            _sql["note_decision"],
            self._message.account_id,
            self._message.message_id,
            decision,
            campaign_id,
            contact_id,
        )

    async def suppress(self, *, reason: str) -> bool:
        """Put the person on the workspace's list; False: they were there."""
        message = self._message
        added: bool = await self._connection.fetchval(
            _sql["suppress_sender"], message.workspace_id, message.from_id, self._handle, reason
        )
        return added

    async def confirm(self, text: str) -> None:
        """One last message."""
        message = self._message
        row = await self._connection.fetchrow(_sql["begin_confirmation"], message.account_id)
        if row is None:
            raise UnknownAccountError(f"no account {message.account_id}")
        job = job_id("opt_out", 0, row["id"], trigger=message.message_id)
        event = delivery_event(
            job=job,
            state=MessageState.QUEUED,
            attempt=0,
            occurred_at=row["at"],
            workspace_id=message.workspace_id,
            campaign_id=None,
            account_id=message.account_id,
            sender_id=row["id"],
            sender=sender_name(row["handle"], row["telegram_user_id"]),
            destination=sender_name(self._handle, message.from_id),
            step=0,
            trigger="opt_out",
            body=text,
            content_type="text",
            queued_at=row["at"],
            recipient_id=message.from_id,
            triggered_by_message_id=message.message_id,
        )
        await self._connection.execute(
            _sql["confirm_opt_out"],
            row["id"],
            message.workspace_id,
            text,
            message.message_id,
            message.account_id,
            job,
            message.from_id,
            self._handle,
            self._first_name,
            event.subject,
            event.model_dump(mode="json"),
            event.headers,
            row["at"],
        )


class PgInbound:
    """Opens one transaction for each message."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        self._pool = pool

    @asynccontextmanager
    async def undecided(self, message: InboundMessage) -> AsyncIterator[Undecided | None]:
        """The message, to be decided until the block ends; None when it was decided before.

        Raises UnknownAccountError.
        """
        arguments = (message.workspace_id, message.account_id, message.message_id, message.from_id)
        async with self._pool.acquire() as connection, connection.transaction():
            begun = await connection.fetchval(_sql["begin_inbound"], *arguments)
            if begun == "no_account":
                raise UnknownAccountError(f"workspace {message.workspace_id} has no account {message.account_id}")
            yield Undecided(connection, message) if begun == "new" else None

    async def prune(self) -> int:
        """Forget a few of the messages that nobody asks for any more, and due rows of campaigns that have ended."""
        messages: int = await self._pool.fetchval(_sql["prune_inbound"], _PRUNE_AT_ONCE)
        due: int = await self._pool.fetchval(_sql["prune_due"], _PRUNE_AT_ONCE)
        return messages + due


def _clean(text: str | None, sign: str = "") -> str:
    """A name without NUL, which PostgreSQL does not know, and without the sign that it is stored without."""
    return (text or "").replace("\0", "").strip().removeprefix(sign)


def expiry(message: InboundMessage, *, max_age_seconds: float) -> datetime:
    """After that, an answer comes too late."""
    return message.date + timedelta(seconds=max_age_seconds)
