"""Receipts in PostgreSQL: the messages they mark, and the events that tell of it, in one transaction."""

from collections.abc import Sequence
from typing import Any

import asyncpg

from relaygram_common.contracts.delivery import DeliveryEvent
from relaygram_common.contracts.receipts import Receipt
from relaygram_common.contracts.states import RANKS, MessageState
from relaygram_common.database.statements import Statements
from relaygram_log_writer import metrics
from relaygram_log_writer.core.row import Key, Row
from relaygram_log_writer.core.telling import events_of

_sql = Statements("relaygram_log_writer")

# Messages marked by one transaction, which holds the log's lock meanwhile: some 20 ms.
MARKED_AT_ONCE = 200
_ACCEPTED = RANKS[MessageState.SENT]


class PgReceipts:
    """Applies receipts to messages, whichever comes first."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        self._pool = pool

    async def late(self, rows: Sequence[Row]) -> list[Key]:
        """Those of the rows just written whose receipts came before them."""
        accepted = [row for row in rows if row.rank >= _ACCEPTED and row.account_id and row.recipient_id]
        if not accepted:
            return []
        accounts = list({row.account_id for row in accepted})
        newest = {
            row["account_id"]: row["message_id"] for row in await self._pool.fetch(_sql["newest_receipts"], accounts)
        }
        accepted = [row for row in accepted if (row.telegram_message_id or 0) <= (newest[row.account_id] or -1)]
        if not accepted:
            return []
        found = await self._pool.fetch(
            _sql["with_receipts"],
            [row.campaign_id for row in accepted],
            [row.job_id for row in accepted],
            [row.account_id for row in accepted],
            [row.recipient_id for row in accepted],
            [row.telegram_message_id for row in accepted],
        )
        return [(row["campaign_id"], row["job_id"]) for row in found]

    async def apply(self, receipts: Sequence[Receipt], late: Sequence[Key] = ()) -> dict[int, int]:
        """Committed when it returns: campaigns that changed, with their newest revision. It may be repeated."""
        arguments = (*_columns(receipts), [key[0] for key in late], [key[1] for key in late])
        revisions: dict[int, int] = {}
        while True:
            changed = await self._apply_some(arguments)
            for row in changed:
                revisions[row["campaign_id"]] = max(revisions.get(row["campaign_id"], 0), row["revision"])
            if len(changed) < MARKED_AT_ONCE:
                return revisions

    async def _apply_some(self, arguments: tuple[list[Any], ...]) -> list[asyncpg.Record]:
        async with self._pool.acquire() as connection, connection.transaction():
            changed: list[asyncpg.Record] = await connection.fetch(_sql["apply_receipts"], *arguments, MARKED_AT_ONCE)
            events = [
                event
                for row in changed
                for event in events_of(dict(row), is_read=row["is_read"], is_replied=row["is_replied"])
            ]
            if events:
                await connection.execute(_sql["tell"], *_outbox_columns(events))
        for event in events:
            metrics.MARKED.labels(event.state.value).inc()
        return changed


def _columns(receipts: Sequence[Receipt]) -> tuple[list[Any], ...]:
    return (
        [one.workspace_id for one in receipts],
        [one.account_id for one in receipts],
        [one.chat_id for one in receipts],
        [one.kind for one in receipts],
        [one.message_id for one in receipts],
        [one.occurred_at for one in receipts],
    )


def _outbox_columns(events: Sequence[DeliveryEvent]) -> tuple[list[Any], ...]:
    return (
        [event.workspace_id for event in events],
        [event.subject for event in events],
        [event.model_dump(mode="json") for event in events],
        [event.headers for event in events],
    )
