"""One connection of one account to Telegram, or to the sandbox and never anywhere else."""

import asyncio
import contextlib
import ipaddress
import itertools
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self

import structlog
from telethon.crypto import aes, rsa
from telethon.sessions import StringSession
from telethon.tl import functions, types

from relaygram_common.proxy_address import ProxyAddress, parse_proxy
from relaygram_telegram_gateway.adapters.telethon_connection import Fence, fenced_connection
from relaygram_telegram_gateway.adapters.telethon_errors import telegram_error
from relaygram_telegram_gateway.adapters.telethon_updates import UpdateListener, UpdatesClient, begin_at
from relaygram_telegram_gateway.core.arrivals import UpdateState
from relaygram_telegram_gateway.core.telegram_errors import TelegramError
from relaygram_telegram_gateway.settings import GatewaySettings

log = structlog.get_logger(__name__)


class _OurOwnNews(logging.Filter):
    """Telethon tells of each lost connection twice; we tell of it ourselves, with the account."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Keep what is not about a connection that ended."""
        return not record.getMessage().startswith(("Server closed the connection", "Automatic reconnection failed"))


for _logger in ("telethon.network.mtprotosender", "telethon.network.connection.connection"):
    logging.getLogger(_logger).addFilter(_OurOwnNews())

_SANDBOX_DC = 2
_DISCONNECT_SECONDS = 3.0
_numbers = itertools.count(1)


class TelegramRefusedError(Exception):
    """Telegram answered with an error; `.error` has its own name."""

    def __init__(self, error: TelegramError) -> None:
        super().__init__(f"{error.name} ({error.code})")
        self.error = error


class ProxyFailedError(ConnectionError):
    """The account's proxy is not there, does not know us, or does not reach Telegram."""


class WrongAddressError(RuntimeError):
    """A client of an installation with a sandbox would have gone elsewhere."""


# What a request raises when the connection is gone or nobody answered.
CONNECTION_ERRORS: tuple[type[BaseException], ...] = (OSError, EOFError, TimeoutError, asyncio.IncompleteReadError)


@dataclass(frozen=True, slots=True)
class TelegramPlace:
    """Where clients connect: the sandbox, or (None) the real Telegram."""

    sandbox: tuple[str, int] | None
    api_id: int
    api_hash: str = field(repr=False)
    connect_seconds: float
    proxy: ProxyAddress | None = None

    @staticmethod
    def from_settings(settings: GatewaySettings) -> "TelegramPlace":
        """Also tells Telethon the sandbox's key. Raises ValueError when the key is none, or AES would be slow."""
        if aes.cryptg is None:
            raise ValueError("cryptg can not be loaded: without it Telegram's encryption is too slow")
        if settings.sandbox is not None:
            try:
                rsa.add_key(settings.telegram_sandbox_public_key.replace("\\n", "\n"), old=False)
            except Exception as error:
                raise ValueError(f"RELAYGRAM_TELEGRAM_SANDBOX_PUBLIC_KEY is no public key: {error}") from error
        return TelegramPlace(
            settings.sandbox,
            settings.telegram_api_id or 1,
            settings.telegram_api_hash or "sandbox",
            settings.connect_timeout_seconds,
            parse_proxy(settings.telegram_proxy) if settings.telegram_proxy else None,
        )

    def session(self, saved: str) -> StringSession:
        """A Telethon session for here, from a saved string or "". Raises ValueError when the string is none."""
        try:
            session = StringSession(saved)
        except Exception as error:
            raise ValueError("this is not a session string of Telethon") from error
        if self.sandbox is not None:
            # Always, also after loading: the sandbox may have moved, and Telethon's own default is the real Telegram.
            session.set_dc(_SANDBOX_DC, *self.sandbox)
        return session

    def check(self, session: Any) -> None:
        """Raises WrongAddressError when the client would talk to anybody but the sandbox."""
        if self.sandbox is None:
            return
        if (session.server_address, session.port) != self.sandbox:
            raise WrongAddressError(f"a client pointed at {session.server_address}:{session.port}, not at the sandbox")

    @property
    def telethon_proxy(self) -> dict[str, Any] | None:
        """The proxy as Telethon takes it; names are looked up by the proxy."""
        proxy = self.proxy
        if proxy is None:
            return None
        return {
            "proxy_type": proxy.scheme,
            "addr": proxy.host,
            "port": proxy.port,
            "rdns": True,
            "username": proxy.username,
            "password": proxy.password,
        }

    @property
    def uses_ipv6(self) -> bool:
        """Telethon falls back to the real Telegram when this does not fit the address."""
        return self.sandbox is not None and ipaddress.ip_address(self.sandbox[0]).version == 6


class TelegramLink:
    """A client that is connected once. When its connection is lost it is thrown away and another one is made.

    To be used in `async with`, which takes it down however its use ends: Telethon's own tasks would keep a client that
    nobody closed alive, and connected to where it was.
    """

    def __init__(
        self,
        place: TelegramPlace,
        saved_session: str,
        lease_is_valid: Callable[[], bool],
        *,
        updates: UpdateListener | None = None,
        state: UpdateState | None = None,
    ) -> None:
        """`updates` takes what arrives, and what has arrived since `state`; without one nobody hears of it."""
        self.number = next(_numbers)
        self.fence = Fence(lease_is_valid)
        self.begun_at = state
        self._place = place
        self._session = place.session(saved_session)
        place.check(self._session)
        if state is not None:
            begin_at(self._session, state)
        self._client = UpdatesClient(
            self._session,
            place.api_id,
            place.api_hash,
            listener=updates,
            timeout_seconds=place.connect_seconds,
            connection=fenced_connection(self.fence),
            proxy=place.telethon_proxy,
            use_ipv6=place.uses_ipv6,
            flood_sleep_threshold=0,
            request_retries=1,
            raise_last_call_error=True,
            connection_retries=3,  # never 0: one key exchange in 256 fails on purpose
            retry_delay=0.2,
            auto_reconnect=False,
            timeout=10,
            receive_updates=True,
            catch_up=state is not None,
            sequential_updates=True,
            entity_cache_limit=5000,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()

    async def connect(self) -> None:
        """Connect, or raise: an OSError when nobody is there, TelegramRefusedError when Telegram refuses the key."""
        try:
            async with asyncio.timeout(self._place.connect_seconds):
                self.fence.demand()
                await self._client.connect()
            self._place.check(self._session)
        except BaseException as error:
            refused = telegram_error(error)
            if refused is not None:
                raise TelegramRefusedError(refused) from error
            if self.fence.proxy_problem is not None and isinstance(error, CONNECTION_ERRORS):
                raise ProxyFailedError(f"no way through the proxy: {self.fence.proxy_problem}") from error
            if isinstance(error, CONNECTION_ERRORS) or _is_stray_cancellation(error):
                raise ConnectionError(str(error) or type(error).__name__) from error
            raise

    async def demand_authorized(self) -> UpdateState:
        """Where Telegram stands. Raises TelegramRefusedError with the reason when the session is not logged in."""
        now = await self.ask(functions.updates.GetStateRequest())
        return UpdateState(now.pts, now.qts, now.date, now.seq)

    def update_state(self) -> UpdateState | None:
        """Behind everything that its listener was given."""
        return self._client.update_state()

    async def catch_up(self) -> None:
        """Ask for what may have been missed; it comes to the listener."""
        await self._client.catch_up()

    def shorten_backlog(self, most: int) -> None:
        """While the listener takes nothing, updates pile up: rather than keep them all, ask for them again later."""
        backlog = self._client._updates_queue
        if backlog.qsize() > most:
            while not backlog.empty():
                backlog.get_nowait()
            backlog.put_nowait(types.UpdatesTooLong())

    def send(self, request: Any) -> "asyncio.Future[Any]":
        """Put a request on the wire; its answer as a future. Raises ConnectionError when there is no connection.

        Straight to Telethon's sender: calling the client would sleep two seconds over each server error (and over
        RANDOM_ID_DUPLICATE, which is one), and remember flood waits where nobody sees them.
        """
        return self._client._sender.send(request)  # type: ignore[no-any-return]

    async def ask(self, request: Any, *, timeout_seconds: float = 15.0) -> Any:
        """One request and its answer. Raises TelegramRefusedError or ConnectionError."""
        try:
            async with asyncio.timeout(timeout_seconds):
                return await self._answered(self.send(request))
        except CONNECTION_ERRORS as error:
            raise ConnectionError(str(error) or type(error).__name__) from error
        except Exception as error:
            refused = telegram_error(error)
            if refused is None:
                raise
            raise TelegramRefusedError(refused) from error

    async def _answered(self, answer: "asyncio.Future[Any]") -> Any:
        """The answer, or ConnectionError when the connection ends first: Telethon forgets what it had not sent yet."""
        ended = asyncio.ensure_future(self.fence.ended.wait())
        try:
            await asyncio.wait((answer, ended), return_when=asyncio.FIRST_COMPLETED)
            if answer.done() and not answer.cancelled():
                return answer.result()
            raise ConnectionError("the connection was lost")
        finally:
            ended.cancel()

    async def sign_in_with(self, request: Any) -> Any:
        """A log-in step, by the client itself since it may have to move to another data centre."""
        try:
            async with asyncio.timeout(self._place.connect_seconds):
                return await self._client(request)
        except BaseException as error:
            refused = telegram_error(error)
            if refused is not None:
                raise TelegramRefusedError(refused) from error
            if isinstance(error, CONNECTION_ERRORS) or _is_stray_cancellation(error):
                raise ConnectionError(str(error) or type(error).__name__) from error
            raise
        finally:
            self._place.check(self._session)

    def session_string(self) -> str:
        """The session to keep: a full credential."""
        return str(self._session.save())

    def cut(self) -> None:
        """Abort the connection now."""
        self.fence.abort()

    async def close(self) -> None:
        """Take the client down; what it had under way is lost."""
        self.fence.abort()
        with contextlib.suppress(Exception, asyncio.CancelledError):
            async with asyncio.timeout(_DISCONNECT_SECONDS):
                await self._client.disconnect()
        # Why it was disconnected (an unknown key, for one) Telethon also keeps in a future that nobody else asks.
        reason = self._client._sender._disconnected
        if reason.done() and not reason.cancelled():
            reason.exception()


def _is_stray_cancellation(error: BaseException) -> bool:
    """Telethon cancels what waits for an answer when a connection ends; nobody has cancelled us."""
    task = asyncio.current_task()
    return isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling() == 0
