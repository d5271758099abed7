"""The log-writer's parts and how they are connected."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from nats.js import JetStreamContext

from relaygram_common.jetstream.lazy_headers import read_headers_lazily
from relaygram_common.jetstream.pull import PullSubscription
from relaygram_common.runner import Runtime
from relaygram_common.servers import connected_servers
from relaygram_common.tasks import cancel_and_wait
from relaygram_common.topology import DELIVERY_EVENTS, LOG_WRITER, RECEIPTS
from relaygram_log_writer.adapters.pg_log import PgLog
from relaygram_log_writer.adapters.pg_receipts import MARKED_AT_ONCE, PgReceipts
from relaygram_log_writer.adapters.pg_retention import PgRetention
from relaygram_log_writer.receipts import ReceiptTaker
from relaygram_log_writer.retention import Retention
from relaygram_log_writer.settings import LogWriterSettings
from relaygram_log_writer.writer import LogWriter

# While PostgreSQL writes one, the next one is decoded and on its way there; the log's lock lets one in after the other.
_BATCHES_AT_ONCE = 2


@asynccontextmanager
async def build(settings: LogWriterSettings, runtime: Runtime) -> AsyncIterator[None]:
    """PostgreSQL, NATS, then the loops; stopped in reverse."""
    async with connected_servers(
        settings, runtime, name="relaygram-log-writer", pool_size=4, needs=_has_consumers
    ) as servers:
        client, pool, publisher = servers.client, servers.pool, servers.publisher
        read_headers_lazily(client)
        events = PullSubscription(client, stream=DELIVERY_EVENTS, consumer=LOG_WRITER)
        receipts = PullSubscription(client, stream=RECEIPTS, consumer=LOG_WRITER)
        for subscription in (events, receipts):
            servers.reconnects.listen(subscription.reconnected)
            await subscription.start()

        pg_receipts, cap = PgReceipts(pool), settings.log_retry_cap_seconds
        writer = LogWriter(
            client,
            events,
            publisher,
            PgLog(pool),
            pg_receipts,
            batch_size=settings.log_batch_size,
            retry_cap_seconds=cap,
        )
        taker = ReceiptTaker(client, receipts, publisher, pg_receipts, batch_size=MARKED_AT_ONCE, retry_cap_seconds=cap)
        loops = [runtime.spawn(taker.run(), name="receipts")]
        loops += [runtime.spawn(writer.run(), name="log-writer") for _ in range(_BATCHES_AT_ONCE)]
        if settings.log_retention_days:
            keep = timedelta(days=settings.log_retention_days)
            keeper = Retention(PgRetention(pool, owner=settings.instance), keep=keep)
            loops.append(runtime.spawn(keeper.run(), name="retention"))
        try:
            yield
        finally:
            await cancel_and_wait(loops)  # what is not acknowledged comes again, and is written again without harm
            await receipts.stop()
            await events.stop()


async def _has_consumers(jetstream: JetStreamContext) -> None:
    for stream in (DELIVERY_EVENTS, RECEIPTS):
        await jetstream.consumer_info(stream, LOG_WRITER)
