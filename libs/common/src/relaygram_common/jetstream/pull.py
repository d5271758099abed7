"""A raw pull subscription: several pulls outstanding, one inbox, no per-message timers (nats-py's fetch costs 4 times
as much). It never holds more messages than were asked for, so memory is bounded by the caller's requests."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import orjson
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from relaygram_common.tasks import set_or_timeout

# The server ends a pull at its expiry; when no word of that arrives (it was restarted), we stop counting on it then.
_EXPIRY_GRACE_SECONDS = 1.0


@dataclass(slots=True)
class _Pull:
    open_messages: int
    deadline: float  # monotonic


class _Handover(asyncio.Future[Msg]):
    """Takes each message in at once. With a callback, nats-py puts it on a queue of its own and has a task take it off:
    a third of what receiving costs."""

    def __init__(self, take_in: Callable[[Msg], None]) -> None:
        super().__init__()
        self._take_in = take_in

    def set_result(self, message: Msg) -> None:
        """What nats-py does with a message for which somebody waits; here one may follow another."""
        self._take_in(message)


class PullSubscription:
    """Messages of one durable pull consumer, which must exist."""

    def __init__(self, client: Client, *, stream: str, consumer: str) -> None:
        self._client = client
        self._subject = f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}"
        self._inbox = client.new_inbox()
        self._pulls: dict[int, _Pull] = {}
        self._next_pull = 0
        self._messages: deque[Msg] = deque()
        self._arrived = asyncio.Event()
        self._subscription: Subscription | None = None
        self.last_status: str | None = None  # the last thing the server said instead of a message, e.g. "409"

    async def start(self) -> None:
        """Listen on the inbox."""
        self._subscription = await self._client.subscribe(f"{self._inbox}.*", future=_Handover(self._on_message))

    async def stop(self) -> None:
        """Stop listening; what was delivered and not acknowledged comes again after the consumer's ack_wait."""
        self._pulls.clear()
        if self._subscription is not None and self._client.is_connected:
            await self._subscription.unsubscribe()

    async def reconnected(self) -> None:
        """The server forgot our pulls."""
        self._pulls.clear()
        self._arrived.set()

    @property
    def requested(self) -> int:
        """Messages asked for and not here yet."""
        now = time.monotonic()
        for number in [number for number, pull in self._pulls.items() if pull.deadline < now]:
            del self._pulls[number]
        return sum(pull.open_messages for pull in self._pulls.values())

    async def request(self, messages: int, *, expires_seconds: float) -> None:
        """Ask for up to `messages`, delivered as they come until the request expires."""
        number = self._next_pull
        self._next_pull += 1
        self._pulls[number] = _Pull(messages, time.monotonic() + expires_seconds + _EXPIRY_GRACE_SECONDS)
        body = orjson.dumps({"batch": messages, "expires": int(expires_seconds * 1e9)})
        await self._client.publish(self._subject, body, reply=f"{self._inbox}.{number}")

    def take(self, limit: int) -> list[Msg]:
        """What is here, at most `limit`, without waiting."""
        return [self._messages.popleft() for _ in range(min(limit, len(self._messages)))]

    async def wait(self, timeout_seconds: float) -> None:
        """Return when a message is here or something changed, at the latest after the timeout."""
        if self._messages:
            return
        self._arrived.clear()
        await set_or_timeout(self._arrived, timeout_seconds)

    def _on_message(self, message: Msg) -> None:
        # A message of the stream has a reply subject; its headers are nothing to us.
        status = message.headers.get("Status") if not message.reply and message.headers else None
        if status is not None:
            # 404 no messages, 408 expired, 409 consumer gone or limits, 503 no such consumer: the pull has ended.
            if status != "100":
                self.last_status = status
                self._pulls.pop(int(message.subject.rpartition(".")[2]), None)
        else:
            self._messages.append(message)
            self._count_off()
        self._arrived.set()

    def _count_off(self) -> None:
        """A message came. It bears its stream's subject, not the pull's; the server serves the oldest pull first."""
        number = next(iter(self._pulls), None)
        if number is not None:
            pull = self._pulls[number]
            pull.open_messages -= 1
            if pull.open_messages <= 0:
                del self._pulls[number]
