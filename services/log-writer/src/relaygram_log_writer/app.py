"""The log-writer's parts and how they are connected."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from relaygram_common.database.pool import EVERY_WORKSPACE, close_pool, create_pool
from relaygram_common.jetstream.connection import Reconnects, connect, make_broker
from relaygram_common.jetstream.publisher import WindowPublisher
from relaygram_common.jetstream.pull import PullSubscription
from relaygram_common.runner import Runtime
from relaygram_common.tasks import cancel_and_wait
from relaygram_common.topology import DELIVERY_EVENTS, LOG_WRITER
from relaygram_log_writer.adapters.pg_log import PgLog
from relaygram_log_writer.settings import LogWriterSettings
from relaygram_log_writer.writer import LogWriter


@asynccontextmanager
async def build(settings: LogWriterSettings, runtime: Runtime) -> AsyncIterator[None]:
    """PostgreSQL, NATS, then the loop; stopped in reverse."""
    pool = await create_pool(
        settings.postgres_dsn, application_name="relaygram-log-writer", workspace=EVERY_WORKSPACE, max_size=2
    )
    reconnects = Reconnects()
    broker = make_broker(settings.nats_url, name="relaygram-log-writer", reconnects=reconnects)
    try:
        client = await connect(broker)
        consumer = await client.jetstream(timeout=5).consumer_info(DELIVERY_EVENTS, LOG_WRITER)
    except BaseException:
        await broker.stop()
        await close_pool(pool)
        raise
    publisher = WindowPublisher(client)
    subscription = PullSubscription(client, stream=consumer.stream_name, consumer=consumer.name)
    reconnects.listen(publisher.reconnected)
    reconnects.listen(subscription.reconnected)
    await publisher.start()
    await subscription.start()

    pg_log = PgLog(pool)
    writer = LogWriter(
        client,
        subscription,
        publisher,
        pg_log,
        batch_size=settings.log_batch_size,
        retry_cap_seconds=settings.log_retry_cap_seconds,
    )
    loop = runtime.spawn(writer.run(), name="log-writer")

    async def nats_there() -> None:
        await client.jetstream(timeout=1.5).consumer_info(DELIVERY_EVENTS, LOG_WRITER)

    runtime.health.add("nats", nats_there)
    runtime.health.add("postgres", pg_log.ping)
    try:
        yield
    finally:
        await cancel_and_wait([loop])  # what is not acknowledged comes again, and is written again without harm
        await subscription.stop()
        await publisher.stop()
        await broker.stop()
        await close_pool(pool)
