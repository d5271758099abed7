"""The pull loop: events in, rows out, acknowledged only after the commit. Everything it does may be repeated."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from relaygram_common.backoff import backoff_seconds
from relaygram_common.contracts.doorbells import LogChanged
from relaygram_common.database.pool import TRANSIENT_ERRORS
from relaygram_common.jetstream.dead_letters import dead_letter
from relaygram_common.jetstream.publisher import PublishError, WindowPublisher
from relaygram_common.jetstream.pull import PullSubscription
from relaygram_log_writer import metrics
from relaygram_log_writer.adapters.pg_log import PgLog, Written
from relaygram_log_writer.batch import Batch, decode, utc_now
from relaygram_log_writer.core.incomplete import bare
from relaygram_log_writer.core.row import Row

log = structlog.get_logger(__name__)
T = TypeVar("T")

_TRANSIENT: tuple[type[BaseException], ...] = (*TRANSIENT_ERRORS, PublishError, NatsError)
_PULL_SECONDS = 5.0  # how long the server keeps a request open; a shorter one costs nothing but a message
_CONSUMER_GONE_SECONDS = 0.5


class LogWriter:
    """Writes the log until cancelled, through outages of NATS and PostgreSQL."""

    def __init__(
        self,
        client: Client,
        subscription: PullSubscription,
        publisher: WindowPublisher,
        pg_log: PgLog,
        *,
        batch_size: int,
        retry_cap_seconds: float,
    ) -> None:
        self._client = client
        self._subscription = subscription
        self._publisher = publisher
        self._log = pg_log
        self._batch_size = batch_size
        self._retry_cap = retry_cap_seconds

    async def run(self) -> None:
        """The loop."""
        while True:
            await self._until_done(self._ask)
            messages = self._subscription.take(self._batch_size)
            if messages:
                await self._handle(messages)
            else:
                await self._subscription.wait(1.0)
                await self._heed_status()

    async def _ask(self) -> None:
        """Two batches under way: one is being written while the next one comes."""
        while self._subscription.requested <= self._batch_size:
            await self._subscription.request(self._batch_size, expires_seconds=_PULL_SECONDS)

    async def _heed_status(self) -> None:
        """A consumer that is not there answers at once: do not ask it in a circle."""
        status, self._subscription.last_status = self._subscription.last_status, None
        if status in ("503", "409"):
            log.warning("log.no_consumer", status=status)
            await asyncio.sleep(_CONSUMER_GONE_SECONDS)

    async def _handle(self, messages: list[Msg]) -> None:
        with metrics.WRITE_SECONDS.time():
            batch = decode(messages, now=utc_now())
            # A letter first: an event is acknowledged only when nothing of it can be lost any more.
            await self._until_done(lambda: self._dead_letter(batch.dead))
            written = await self._until_done(lambda: self._write(batch))
        await self._until_done(lambda: self._acknowledge(batch, written))
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
            for message, source in batch.sources[row.campaign_id, row.job_id]:
                written.revisions.update(await self._write_one(message, source))
        return written

    async def _write_one(self, message: Msg, row: Row) -> dict[int, int]:
        written = await self._log.write([row])
        for _, why in written.refused:
            await self._dead_letter([(message, why)])
            metrics.EVENTS.labels("incomplete").inc()
            written = await self._log.write([bare(row, why=why)])
        return written.revisions

    async def _acknowledge(self, batch: Batch, written: Written) -> None:
        for message in batch.messages:
            await self._client.publish(message.reply, b"+ACK")
        for campaign_id, revision in written.revisions.items():
            bell = LogChanged(campaign_id=campaign_id, revision=revision)
            await self._client.publish(bell.subject, bell.model_dump_json().encode())

    async def _until_done(self, action: Callable[[], Awaitable[T]]) -> T:
        """Try until it works. Nothing is acknowledged meanwhile; what the server sends again is written again."""
        failures = 0
        while True:
            try:
                return await action()
            except _TRANSIENT as error:
                failures += 1
                log.warning("log.delayed", failures=failures, error=str(error) or type(error).__name__)
                jitter = random.random()  # noqa: S311 - spreads tries, guards no secret
                await asyncio.sleep(backoff_seconds(failures, first=0.1, cap=self._retry_cap, jitter=jitter))
