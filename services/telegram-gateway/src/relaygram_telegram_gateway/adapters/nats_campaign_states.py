"""Hears of campaigns in KV `campaign_state`, and reads PostgreSQL each second in case something was not heard."""

import asyncio
import contextlib
from collections.abc import Callable

import structlog
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.errors import APIError
from nats.js.kv import KeyValue
from pydantic import ValidationError

from relaygram_common.contracts.doorbells import CampaignStateEntry
from relaygram_common.database.pool import TRANSIENT_ERRORS
from relaygram_common.tasks import set_or_timeout
from relaygram_common.topology import CAMPAIGN_STATE
from relaygram_telegram_gateway.adapters.pg_accounts import AccountRows
from relaygram_telegram_gateway.core.campaign_states import CampaignState, CampaignStates

log = structlog.get_logger(__name__)

_WATCH_AGAIN_SECONDS = 0.5
_WATCH_ERRORS: tuple[type[BaseException], ...] = (NatsError, APIError, OSError, TimeoutError)


class CampaignStateFeed:
    """Keeps a CampaignStates up to date; `on_change` is called when something changed."""

    def __init__(
        self,
        client: Client,
        rows: AccountRows,
        states: CampaignStates,
        *,
        accounts: Callable[[], list[int]],
        on_change: Callable[[], None],
        poll_seconds: float,
    ) -> None:
        self._client = client
        self._rows = rows
        self._states = states
        self._accounts = accounts
        self._on_change = on_change
        self._poll_seconds = poll_seconds
        self._poll_now = asyncio.Event()
        self._watch: asyncio.Task[None] | None = None

    async def reconnected(self) -> None:
        """After a crash of the server nats-py's watch can stay silent for 18 s: begin a new one, and read."""
        if self._watch is not None:
            self._watch.cancel()
        self._poll_now.set()

    def read_soon(self) -> None:
        """Read PostgreSQL now rather than at the next second."""
        self._poll_now.set()

    async def run_watch(self) -> None:
        """Watch for ever."""
        while True:
            self._watch = asyncio.create_task(self._watch_once(), name="campaign-state-watch")
            try:
                await self._watch
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if task is not None and task.cancelling():
                    self._watch.cancel()
                    raise
            except _WATCH_ERRORS as error:
                log.info("campaign_state.unwatched", error=str(error) or type(error).__name__)
                await asyncio.sleep(_WATCH_AGAIN_SECONDS)

    async def _watch_once(self) -> None:
        bucket = await self._client.jetstream(timeout=2).key_value(CAMPAIGN_STATE)
        watcher = await bucket.watchall()
        try:
            async for entry in watcher:
                if entry is not None:
                    self._heard(entry)
        finally:
            with contextlib.suppress(*_WATCH_ERRORS):
                await watcher.stop()  # type: ignore[no-untyped-call]

    def _heard(self, entry: KeyValue.Entry) -> None:
        account, _, campaign = entry.key.partition(".")
        if not account.isdigit() or not campaign.isdigit():
            return
        if entry.operation is not None or not entry.value:
            self._states.ended(int(campaign))
            self._on_change()
            return
        try:
            value = CampaignStateEntry.model_validate_json(entry.value)
        except ValidationError as error:
            # PostgreSQL is read every second anyway.
            log.warning("campaign_state.unreadable", key=entry.key, error=str(error).splitlines()[0])
            return
        state = CampaignState(int(account), int(campaign), value.state, value.version, value.mode)
        if self._states.heard(state):
            self._on_change()

    async def run_poll(self) -> None:
        """Read for ever."""
        while True:
            self._poll_now.clear()
            try:
                await self.read_now()
            except TRANSIENT_ERRORS as error:
                log.info("campaign_state.unread", error=str(error) or type(error).__name__)
            await set_or_timeout(self._poll_now, self._poll_seconds)

    async def read_now(self) -> None:
        """Read the campaigns of our accounts."""
        accounts = self._accounts()
        mark = self._states.begin_reading()
        rows = await self._rows.campaigns(accounts) if accounts else []
        if self._states.read(mark, rows):
            self._on_change()
