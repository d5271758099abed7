"""Receipts in, messages marked as read or replied to, acknowledged only after the commit."""

import asyncpg
from nats.aio.client import Client
from nats.aio.msg import Msg
from pydantic import ValidationError

from relaygram_common.contracts.receipts import Receipt
from relaygram_common.jetstream.dead_letters import dead_letter
from relaygram_common.jetstream.publisher import WindowPublisher
from relaygram_common.jetstream.pull import PullSubscription
from relaygram_log_writer import metrics
from relaygram_log_writer.adapters.pg_receipts import PgReceipts
from relaygram_log_writer.pull_loop import PullLoop

# What a receipt itself is at fault for: PostgreSQL can not hold one of its values.
_DATA_ERRORS = (asyncpg.DataError, asyncpg.exceptions.DataError, asyncpg.IntegrityConstraintViolationError)


class ReceiptTaker(PullLoop):
    """Keeps receipts, and applies them to the messages that are there."""

    def __init__(
        self,
        client: Client,
        subscription: PullSubscription,
        publisher: WindowPublisher,
        pg_receipts: PgReceipts,
        *,
        batch_size: int,
        retry_cap_seconds: float,
    ) -> None:
        super().__init__(client, subscription, batch_size=batch_size, retry_cap_seconds=retry_cap_seconds)
        self._publisher = publisher
        self._receipts = pg_receipts

    async def _handle(self, messages: list[Msg]) -> None:
        taken: list[tuple[Msg, Receipt]] = []
        for message in messages:
            try:
                taken.append((message, Receipt.model_validate_json(message.data)))
            except ValidationError as error:
                await self._refuse(message, f"not a receipt: {error.error_count()} wrong fields")
        revisions = await self._until_done(lambda: self._apply(taken))
        await self._until_done(lambda: self._acknowledge(messages, revisions))

    async def _apply(self, taken: list[tuple[Msg, Receipt]]) -> dict[int, int]:
        if not taken:
            return {}
        try:
            revisions = await self._receipts.apply([receipt for _, receipt in taken])
        except _DATA_ERRORS as error:
            if len(taken) == 1:
                await self._refuse(taken[0][0], f"PostgreSQL refuses it: {type(error).__name__}")
                return {}
            revisions = {}
            for one in taken:
                revisions.update(await self._apply([one]))
            return revisions
        metrics.RECEIPTS.labels("applied").inc(len(taken))
        return revisions

    async def _refuse(self, message: Msg, reason: str) -> None:
        await self._until_done(lambda: dead_letter(self._publisher, message, reason=reason))
        metrics.RECEIPTS.labels("dead_lettered").inc()
