"""What both loops of the log-writer have in common: pull batches, go on through outages, acknowledge and ring."""

import asyncio
import random
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from relaygram_common.backoff import backoff_seconds
from relaygram_common.contracts.doorbells import LogChanged
from relaygram_common.database.pool import TRANSIENT_ERRORS
from relaygram_common.jetstream.acks import ack_unheard
from relaygram_common.jetstream.publisher import PublishError
from relaygram_common.jetstream.pull import PullSubscription

log = structlog.get_logger(__name__)
T = TypeVar("T")

_TRANSIENT: tuple[type[BaseException], ...] = (*TRANSIENT_ERRORS, PublishError, NatsError)
_PULL_SECONDS = 5.0  # how long the server keeps a request open; a shorter one costs nothing but a message
_CONSUMER_GONE_SECONDS = 0.5


class PullLoop(ABC):
    """Handles batches until cancelled, through outages of NATS and PostgreSQL. Everything it does may be repeated."""

    def __init__(
        self, client: Client, subscription: PullSubscription, *, batch_size: int, retry_cap_seconds: float
    ) -> None:
        self._client = client
        self._subscription = subscription
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

    @abstractmethod
    async def _handle(self, messages: list[Msg]) -> None:
        """Do what the messages ask for, durably; then acknowledge them."""

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

    async def _acknowledge(self, messages: Sequence[Msg], revisions: Mapping[int, int]) -> None:
        """Tell the stream that it is done, and who watches these campaigns that there is something new."""
        await ack_unheard(self._client, messages)
        for campaign_id, revision in revisions.items():
            if campaign_id <= 0:
                continue  # nobody watches what belongs to no campaign
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
