"""Delivery events in, rows out, acknowledged only after the commit."""

from nats.aio.client import Client
from nats.aio.msg import Msg

from relaygram_common.jetstream.dead_letters import dead_letter
from relaygram_common.jetstream.publisher import WindowPublisher
from relaygram_common.jetstream.pull import PullSubscription
from relaygram_log_writer import metrics
from relaygram_log_writer.adapters.pg_log import PgLog, Written
from relaygram_log_writer.adapters.pg_receipts import PgReceipts
from relaygram_log_writer.batch import Batch, decode, utc_now
from relaygram_log_writer.core.incomplete import bare
from relaygram_log_writer.core.row import Row
from relaygram_log_writer.pull_loop import PullLoop


class LogWriter(PullLoop):
    """Writes the log, and gives late messages the receipts that came before them."""

    def __init__(
        self,
        client: Client,
        subscription: PullSubscription,
        publisher: WindowPublisher,
        pg_log: PgLog,
        pg_receipts: PgReceipts,
        *,
        batch_size: int,
        retry_cap_seconds: float,
    ) -> None:
        super().__init__(client, subscription, batch_size=batch_size, retry_cap_seconds=retry_cap_seconds)
        self._publisher = publisher
        self._log = pg_log
        self._receipts = pg_receipts

    async def _handle(self, messages: list[Msg]) -> None:
        with metrics.WRITE_SECONDS.time():
            batch = decode(messages, now=utc_now())
            # A letter first: an event is acknowledged only when nothing of it can be lost any more.
            await self._until_done(lambda: self._dead_letter(batch.dead))
            written = await self._until_done(lambda: self._write(batch))
            marked = await self._until_done(lambda: self._apply_receipts(batch))
        await self._until_done(lambda: self._acknowledge(batch.messages, {**written.revisions, **marked}))
        metrics.BATCH.observe(len(messages))
        if batch.newest is not None:
            metrics.LAG_SECONDS.set(max(0.0, (utc_now() - batch.newest).total_seconds()))

    async def _dead_letter(self, dead: list[tuple[Msg, str]]) -> None:
        for message, reason in dead:
            await dead_letter(self._publisher, message, reason=reason)

    async def _write(self, batch: Batch) -> Written:
        written = await self._log.write(list(batch.rows.values()))
        for row, _ in written.refused:
            # Several events of the message made this row, and not each of them need be at fault.
            for message, source in batch.sources(row):
                written.revisions.update(await self._write_one(message, source))
        return written

    async def _write_one(self, message: Msg, row: Row) -> dict[int, int]:
        written = await self._log.write([row])
        for _, why in written.refused:
            await self._dead_letter([(message, why)])
            metrics.EVENTS.labels("incomplete").inc()
            written = await self._log.write([bare(row, why=why)])
        return written.revisions

    async def _apply_receipts(self, batch: Batch) -> dict[int, int]:
        """After the commit, and before the acknowledgement: whoever stores a receipt from now on sees these rows."""
        late = await self._receipts.late(list(batch.rows.values()))
        return await self._receipts.apply([], late) if late else {}
