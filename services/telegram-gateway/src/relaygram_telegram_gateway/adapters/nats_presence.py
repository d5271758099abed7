"""Which gateways are there, and how many accounts each runs: said once a second over core NATS, to share them out."""

import asyncio
from collections.abc import Callable

import orjson
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
    """Says that we are here, and knows who else is."""

    def __init__(self, client: Client, instance: str, *, accounts: Callable[[], int | None]) -> None:
        """`accounts`: how many we run; None while we could run none, and had better not be counted on."""
        self._client = client
        self._instance = instance
        self._accounts = accounts
        self._heard: dict[str, tuple[float, int]] = {}
        self._subscription: Subscription | None = None

    async def start(self) -> None:
        """Listen, say hello, and hear who answers before anything is taken."""
        self._subscription = await self._client.subscribe(_SUBJECT, cb=self._on_hello)
        await self.say()
        await asyncio.sleep(_ANSWERS_SECONDS)

    async def run(self) -> None:
        """Say hello for ever."""
        while True:
            await asyncio.sleep(_EVERY_SECONDS)
            await self.say()

    async def say(self) -> None:
        """How many accounts we run now."""
        if self._subscription is None or (accounts := self._accounts()) is None:
            return
        try:
            await self._client.publish(_SUBJECT, orjson.dumps({"instance": self._instance, "accounts": accounts}))
        except (NatsError, OSError) as error:
            log.debug("presence.unsaid", error=str(error))

    async def stop(self) -> None:
        """Say good-bye, so that others take over what we let go."""
        subscription, self._subscription = self._subscription, None
        if subscription is not None and self._client.is_connected:
            await subscription.unsubscribe()
            await self._client.publish(_SUBJECT, orjson.dumps({"instance": self._instance, "accounts": None}))

    def loads(self) -> dict[str, int]:
        """The gateways that were heard of lately, and how many accounts each runs; ourselves among them."""
        now = asyncio.get_running_loop().time()
        self._heard = {name: heard for name, heard in self._heard.items() if now - heard[0] < _GONE_AFTER_SECONDS}
        return {name: count for name, (_, count) in self._heard.items()} | {self._instance: self._accounts() or 0}

    async def _on_hello(self, message: Msg) -> None:
        try:
            hello = orjson.loads(message.data)
            name, accounts = str(hello["instance"]), hello["accounts"]
        except (ValueError, KeyError, TypeError):
            log.warning("presence.unreadable")
            return
        if name == self._instance:
            return
        if not isinstance(accounts, int):
            self._heard.pop(name, None)
            return
        is_new = name not in self._heard
        self._heard[name] = (asyncio.get_running_loop().time(), accounts)
        if is_new:
            await self.say()
