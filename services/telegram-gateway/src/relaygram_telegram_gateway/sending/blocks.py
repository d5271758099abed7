"""What Telegram has closed to the account for a time, and how the account shows it."""

import asyncio
from collections.abc import Callable
from datetime import datetime

import structlog

from relaygram_common.database.pool import TRANSIENT_ERRORS
from relaygram_telegram_gateway.core.outcomes import Wait
from relaygram_telegram_gateway.core.retries import peer_flood_rest
from relaygram_telegram_gateway.metrics import FLOOD_WAITS
from relaygram_telegram_gateway.sending.work import Work

log = structlog.get_logger(__name__)


class Blocks:
    """account × method → until when; kept in PostgreSQL, so that a restart does not forget a wait."""

    def __init__(self, work: Work, on_change: Callable[[], None]) -> None:
        self._work = work
        self._on_change = on_change
        self._until: dict[str, float] = {}
        self._strikes = 0
        self._saving: set[asyncio.Task[None]] = set()

    async def load(self) -> None:
        """What earlier owners were told."""
        now = self._work.now()
        for block in await self._work.tools.rows.blocks(self._work.account.id):
            self._until[block.method] = now + block.seconds

    def wait_seconds(self, method: str) -> float:
        """0 when the method is open."""
        until = self._until.get(method)
        return 0.0 if until is None else max(0.0, until - self._work.now())

    def close(self, method: str, wait: Wait) -> float:
        """Telegram asked for a wait; how long it is."""
        if wait.seconds is not None:
            seconds = wait.seconds
        else:
            if not self.wait_seconds(method):
                self._strikes += 1
            seconds = peer_flood_rest(self._strikes)
        FLOOD_WAITS.labels(wait.code).inc()
        until = self._work.now() + seconds
        if until > self._until.get(method, 0.0):
            self._until[method] = until
            task = asyncio.create_task(self._save(method, wait, seconds), name="save-block")
            self._saving.add(task)
            task.add_done_callback(self._saving.discard)
        asyncio.get_running_loop().call_later(seconds + 0.01, self._on_change)
        return seconds

    def accepted(self) -> None:
        """A message went through: the next PEER_FLOOD is a first one again."""
        if self._strikes and not self._until:
            self._strikes = 0

    async def _save(self, method: str, wait: Wait, seconds: float) -> None:
        work, rows = self._work, self._work.tools.rows
        try:
            until: datetime = await rows.written(
                work.account, work.term,
                ("save_block", work.account.id, method, work.account.workspace_id, seconds, wait.code),
            )  # fmt: skip
            await rows.move(work.account, "backing_off", f"{wait.code}: {wait.message}", until=until)
        except TRANSIENT_ERRORS as error:
            log.warning("block.not_saved", account_id=work.account.id, error=str(error) or type(error).__name__)

    async def reopen(self) -> None:
        """Once a second: what is over is forgotten, and the account is shown active again."""
        now = self._work.now()
        self._until = {method: until for method, until in self._until.items() if until > now}
        if not self._until and not self._saving and self._work.account.status == "backing_off":
            await self._work.tools.rows.move(self._work.account, "active", None)
