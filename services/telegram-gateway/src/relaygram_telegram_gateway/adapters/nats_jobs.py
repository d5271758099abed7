"""The jobs of one account × campaign: its durable consumer on SEND_JOBS, and pulls no larger than asked for."""

import asyncio
import contextlib
from collections.abc import Callable

import nats.errors
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.errors import APIError, NotFoundError

from relaygram_common.jetstream.pull import PullSubscription
from relaygram_common.tasks import cancel_and_wait
from relaygram_common.topology import SEND_JOBS, job_consumer, job_consumer_name

log = structlog.get_logger(__name__)

_PULL_SECONDS = 5.0
_WAIT_SECONDS = 1.0
_REQUEST_SECONDS = 5.0

JOB_ERRORS: tuple[type[BaseException], ...] = (nats.errors.Error, OSError, TimeoutError, APIError)


class JobFeed:
    """Hands over jobs as they arrive; never more than were asked for."""

    def __init__(
        self, client: Client, account_id: int, campaign_id: int, on_jobs: Callable[[int, list[Msg]], None]
    ) -> None:
        self.campaign_id = campaign_id
        self._client = client
        self._account_id = account_id
        self._name = job_consumer_name(account_id, campaign_id)
        self._subscription = PullSubscription(client, stream=SEND_JOBS, consumer=self._name)
        self._on_jobs = on_jobs
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Make the consumer if it is not there, and listen. Raises one of JOB_ERRORS."""
        await self._ensure_consumer()
        await self._subscription.start()
        self._task = asyncio.create_task(self._hand_over(), name=self._name)

    async def _ensure_consumer(self) -> None:
        js = self._client.jetstream(timeout=_REQUEST_SECONDS)
        await js.add_consumer(SEND_JOBS, job_consumer(self._account_id, self.campaign_id))

    async def _hand_over(self) -> None:
        while True:
            await self._subscription.wait(_WAIT_SECONDS)
            messages = self._subscription.take(10_000)
            if messages:
                self._on_jobs(self.campaign_id, messages)
            elif self._subscription.last_status in ("409", "503"):
                self._subscription.last_status = None
                await self._restore()

    async def _restore(self) -> None:
        """The consumer may be gone (the stream was lost and made anew): it costs only time."""
        try:
            await self._ensure_consumer()
        except JOB_ERRORS as error:
            log.info("jobs.no_consumer", consumer=self._name, error=str(error) or type(error).__name__)

    @property
    def requested(self) -> int:
        """Asked for and not here yet."""
        return self._subscription.requested

    async def request(self, jobs: int) -> None:
        """Ask for up to so many more."""
        await self._subscription.request(jobs, expires_seconds=_PULL_SECONDS)

    async def reconnected(self) -> None:
        """The server forgot our pulls."""
        await self._subscription.reconnected()

    async def stop(self) -> None:
        """Pull no more; what is still on its way comes again after the consumer's ack_wait. A second stop is none."""
        task, self._task = self._task, None
        if task is not None:
            await cancel_and_wait([task])
            with contextlib.suppress(*JOB_ERRORS):  # the connection may be gone, and the subscription with it
                await self._subscription.stop()


async def remove_consumer(client: Client, account_id: int, campaign_id: int) -> None:
    """The campaign has ended."""
    name = job_consumer_name(account_id, campaign_id)
    try:
        await client.jetstream(timeout=_REQUEST_SECONDS).delete_consumer(SEND_JOBS, name)
    except NotFoundError:
        return
    except JOB_ERRORS as error:
        log.info("jobs.consumer_left", consumer=name, error=str(error) or type(error).__name__)
