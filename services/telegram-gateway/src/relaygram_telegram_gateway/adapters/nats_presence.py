"""Which gateways are there: each says so once a second over core NATS, so that accounts can be shared out."""

import asyncio

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError

log = structlog.get_logger(__name__)

_SUBJECT = "account.presence"
_EVERY_SECONDS = 1.0
_GONE_AFTER_SECONDS = 3.5
_ANSWERS_SECONDS = 0.2


class Presence:
    """Says that we are here, and counts who else is."""

    def __init__(self, client: Client, instance: str) -> None:
        self._client = client
        self._instance = instance
        self._heard: dict[str, float] = {}
        self._subscription: Subscription | None = None

    async def start(self) -> None:
        """Listen, say hello, and hear who answers before anything is taken."""
        self._subscription = await self._client.subscribe(_SUBJECT, cb=self._on_hello)
        await self._client.publish(_SUBJECT, self._instance.encode())
        await asyncio.sleep(_ANSWERS_SECONDS)

    async def run(self) -> None:
        """Say hello for ever."""
        while True:
            await asyncio.sleep(_EVERY_SECONDS)
            try:
                await self._client.publish(_SUBJECT, self._instance.encode())
            except (NatsError, OSError) as error:
                log.debug("presence.unsaid", error=str(error))

    async def stop(self) -> None:
        """Say good-bye, so that others take over what we let go."""
        if self._subscription is not None and self._client.is_connected:
            await self._subscription.unsubscribe()
            await self._client.publish(_SUBJECT, b"-" + self._instance.encode())

    def gateways(self) -> int:
        """How many gateways were heard of lately, ourselves among them."""
        now = asyncio.get_running_loop().time()
        self._heard = {name: at for name, at in self._heard.items() if now - at < _GONE_AFTER_SECONDS}
        return len(self._heard.keys() | {self._instance})

    async def _on_hello(self, message: Msg) -> None:
        name = message.data.decode("utf-8", "replace")
        if name.startswith("-"):
            self._heard.pop(name[1:], None)
            return
        is_new = name not in self._heard and name != self._instance
        self._heard[name] = asyncio.get_running_loop().time()
        if is_new:
            await self._client.publish(_SUBJECT, self._instance.encode())
