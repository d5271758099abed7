"""A log-writer in this process, wired as the service wires itself, and what a test needs beside it."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
import nats
import nats.errors
import orjson
from nats.aio.client import Client

from relaygram_common.contracts.delivery import DeliveryEvent
from relaygram_common.contracts.receipts import Receipt
from relaygram_common.jetstream.publisher import Outgoing, WindowPublisher
from relaygram_common.runner import Runtime
from relaygram_common.topology import DEAD_LETTERS, DELIVERY_EVENTS, LOG_WRITER, RECEIPTS
from relaygram_log_writer.app import build
from relaygram_log_writer.settings import LogWriterSettings
from tests.support.waiting import eventually


@dataclass
class Bench:
    """The outside of a log-writer: publish events, look at the log."""

    client: Client
    publisher: WindowPublisher
    connection: "asyncpg.Connection[asyncpg.Record]"

    async def publish(self, events: Sequence[DeliveryEvent]) -> None:
        """As dispatcher and gateway do, without message ids: doubles are wanted here."""
        await self.publisher.publish([Outgoing(one.subject, one.model_dump_json().encode()) for one in events])

    async def publish_raw(self, subject: str, payload: bytes) -> None:
        """What no honest service publishes."""
        await self.publisher.publish([Outgoing(subject, payload)])

    async def publish_receipts(self, receipts: Sequence[Receipt]) -> None:
        """As the gateway does."""
        await self.publisher.publish([Outgoing(one.subject, one.model_dump_json().encode()) for one in receipts])

    async def drained(self) -> None:
        """Everything published so far is written and acknowledged."""
        await eventually(self._is_all_acknowledged, what="everything acknowledged")

    async def _is_all_acknowledged(self) -> bool:
        # Not by the consumer's number of pending messages: it is told of a new one a little after the publisher is.
        js = self.client.jetstream()
        try:
            for stream in (DELIVERY_EVENTS, RECEIPTS):
                last = (await js.stream_info(stream)).state.last_seq
                consumer = await js.consumer_info(stream, LOG_WRITER)
                if consumer.ack_floor is None or consumer.ack_floor.stream_seq < last:
                    return False
        except nats.errors.TimeoutError:
            return False  # a busy server; asked again
        return True

    async def last_letter(self, stream: str = DELIVERY_EVENTS) -> dict[str, Any]:
        """The newest dead letter."""
        letter = await self.client.jetstream().get_last_msg(DEAD_LETTERS, f"dead.letter.{stream}")
        read: dict[str, Any] = orjson.loads(letter.data or b"{}")
        return read


@asynccontextmanager
async def bench(nats_url: str, dsn: str) -> AsyncIterator[Bench]:
    """Connections of the test's own."""
    client = await nats.connect(nats_url, reconnect_time_wait=0.1, max_reconnect_attempts=-1, error_cb=_quiet)
    publisher = WindowPublisher(client)
    await publisher.start()
    connection = await asyncpg.connect(dsn)
    try:
        yield Bench(client, publisher, connection)
    finally:
        await connection.close()
        await client.close()


@asynccontextmanager
async def log_writer(nats_url: str, dsn: str, **chosen: Any) -> AsyncIterator[Runtime]:
    """The service without its process."""
    runtime = Runtime()
    settings = LogWriterSettings(nats_url=nats_url, postgres_dsn=dsn, log_retry_cap_seconds=0.3, **chosen)
    async with build(settings, runtime):
        yield runtime
    await runtime.cancel_tasks()
    assert runtime.failure is None


async def _quiet(_: Exception) -> None:
    """Outages are what some of these tests are about."""
