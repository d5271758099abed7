"""The log-writer's parts and how they are connected."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from relaygram_common.database.pool import EVERY_WORKSPACE, close_pool, create_pool
from relaygram_common.jetstream.connection import Reconnects, connect, make_broker
from relaygram_common.jetstream.lazy_headers import read_headers_lazily
from relaygram_common.jetstream.publisher import WindowPublisher
from relaygram_common.jetstream.pull import PullSubscription
from relaygram_common.runner import Runtime
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
    pool = await create_pool(
        settings.postgres_dsn, application_name="relaygram-log-writer", workspace=EVERY_WORKSPACE, max_size=4
    )
    reconnects = Reconnects()
    broker = make_broker(settings.nats_url, name="relaygram-log-writer", reconnects=reconnects)
    try:
        client = await connect(broker)
        for stream in (DELIVERY_EVENTS, RECEIPTS):
            await client.jetstream(timeout=5).consumer_info(stream, LOG_WRITER)
    except BaseException:
        await broker.stop()
        await close_pool(pool)
        raise
    read_headers_lazily(client)
    publisher = WindowPublisher(client)
    events = PullSubscription(client, stream=DELIVERY_EVENTS, consumer=LOG_WRITER)
    receipts = PullSubscription(client, stream=RECEIPTS, consumer=LOG_WRITER)
    for part in (publisher, events, receipts):
        reconnects.listen(part.reconnected)
        await part.start()

    pg_log, pg_receipts = PgLog(pool), PgReceipts(pool)
    cap = settings.log_retry_cap_seconds
    writer = LogWriter(
        client,
        events,
        publisher,
        pg_log,
        pg_receipts,
        batch_size=settings.log_batch_size,
        retry_cap_seconds=cap,
    )
    taker = ReceiptTaker(client, receipts, publisher, pg_receipts, batch_size=MARKED_AT_ONCE, retry_cap_seconds=cap)
    loops = [runtime.spawn(taker.run(), name="receipts")]
    loops += [runtime.spawn(writer.run(), name="log-writer") for _ in range(_BATCHES_AT_ONCE)]
    if settings.log_retention_days:
        keeper = Retention(PgRetention(pool, owner=settings.instance), keep=timedelta(days=settings.log_retention_days))
        loops.append(runtime.spawn(keeper.run(), name="retention"))

    async def nats_there() -> None:
        for stream in (DELIVERY_EVENTS, RECEIPTS):
            await client.jetstream(timeout=1.5).consumer_info(stream, LOG_WRITER)

    runtime.health.add("nats", nats_there)
    runtime.health.add("postgres", pg_log.ping)
    try:
        yield
    finally:
        await cancel_and_wait(loops)  # what is not acknowledged comes again, and is written again without harm
        await receipts.stop()
        await events.stop()
        await publisher.stop()
        await broker.stop()
        await close_pool(pool)
