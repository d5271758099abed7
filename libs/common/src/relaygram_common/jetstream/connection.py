"""The NATS connection of a service: FastStream's broker, for ever reconnecting, with hooks for what must be redone."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import structlog
from faststream.nats import NatsBroker
from nats.aio.client import Client

log = structlog.get_logger(__name__)

CONNECT_TIMEOUT_SECONDS = 5.0


class Reconnects:
    """Calls whoever asked whenever the connection is back: what the server forgot must be asked for again."""

    def __init__(self) -> None:
        self._listeners: list[Callable[[], Awaitable[None]]] = []

    def listen(self, listener: Callable[[], Awaitable[None]]) -> None:
        """Add a listener."""
        self._listeners.append(listener)

    def forget(self, listener: Callable[[], Awaitable[None]]) -> None:
        """Remove a listener; unknown ones are ignored."""
        if listener in self._listeners:
            self._listeners.remove(listener)

    async def notify(self) -> None:
        """Called by nats-py."""
        log.info("nats.reconnected")
        for listener in list(self._listeners):
            await listener()


_SAME_ERROR_SECONDS = 10.0


class _Errors:
    """Logs errors of the connection; the same one, which comes with every try to reconnect, now and then only."""

    def __init__(self) -> None:
        self._last = ""
        self._logged_at = 0.0

    async def __call__(self, error: Exception) -> None:
        # nats-py's own default prints a traceback for each try while the server is away.
        told, now = str(error) or type(error).__name__, time.monotonic()
        if told != self._last or now - self._logged_at >= _SAME_ERROR_SECONDS:
            self._last, self._logged_at = told, now
            log.warning("nats.error", error=told)


async def _on_disconnect() -> None:
    log.warning("nats.disconnected")


def make_broker(nats_url: str, *, name: str, reconnects: Reconnects) -> NatsBroker:
    """A broker that is not connected yet; add subscribers, then `connect()`."""
    return NatsBroker(
        nats_url.split(","),
        name=name,
        connect_timeout=2,
        reconnect_time_wait=0.2,  # type: ignore[arg-type]  # nats-py takes fractions of a second
        max_reconnect_attempts=-1,
        ping_interval=10,
        max_outstanding_pings=2,
        pending_size=16 * 1024 * 1024,
        error_cb=_Errors(),
        disconnected_cb=_on_disconnect,
        reconnected_cb=reconnects.notify,
        logger=None,
        graceful_timeout=5.0,
    )


async def connect(broker: NatsBroker) -> Client:
    """Connect within CONNECT_TIMEOUT_SECONDS and hand out the nats-py client. Raises ConnectionError."""
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_SECONDS):
            return await broker.connect()
    except TimeoutError:
        raise ConnectionError(
            "no answer from the NATS server: is it running, and is RELAYGRAM_NATS_URL right?"
        ) from None
