"""What Telegram has closed to the account for a time, and how the account shows it."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import structlog

from relaygram_telegram_gateway.adapters.telethon_requests import IMPORT_CONTACTS, RESOLVE_USERNAME, SEND_MESSAGE
from relaygram_telegram_gateway.core.cold_gate import ColdGate, GateState
from relaygram_telegram_gateway.core.outcomes import Accepted, Outcome, Wait
from relaygram_telegram_gateway.core.retries import peer_flood_rest
from relaygram_telegram_gateway.core.waits import Waiting, waiting_for_block
from relaygram_telegram_gateway.metrics import FLOOD_WAITS
from relaygram_telegram_gateway.sending.held import Held
from relaygram_telegram_gateway.sending.work import Work

log = structlog.get_logger(__name__)

# No method: messages to people who did not write first.
COLD = "cold"
_FINDING = (RESOLVE_USERNAME, IMPORT_CONTACTS)
_JITTER = 0.05
_MAX_JITTER_SECONDS = 1.0
_WORTH_TELLING_SECONDS = 2.0


@dataclass(slots=True)
class _Closed:
    until: float  # event loop's clock
    told_until: float  # as it was written down
    code: str
    message: str
    shown_until: datetime | None = None  # PostgreSQL's clock; None: not written yet


class Blocks:
    """account × method → until when; kept in PostgreSQL, so that a restart does not forget a wait."""

    def __init__(self, work: Work, on_change: Callable[[], None]) -> None:
        self._work = work
        self._on_change = on_change
        self._closed: dict[str, _Closed] = {}
        self._cold = ColdGate()
        self._probe: Held | None = None
        self._saving = 0

    async def load(self) -> None:
        """What earlier owners were told."""
        blocks = await self._work.tools.rows.blocks(self._work.account.id)
        now = self._work.now()  # not before it was asked: a wait must not end early
        for block in blocks:
            until = now + block.seconds
            if block.method == COLD:
                self._cold = ColdGate(block.strikes, until)
            if block.seconds > 0:
                self._closed[block.method] = _Closed(until, until, block.code, "", block.until)

    def wait_seconds(self, method: str) -> float:
        """0 when the method is open."""
        closed = self._closed.get(method)
        return 0.0 if closed is None else max(0.0, closed.until - self._work.now())

    @property
    def cold(self) -> GateState:
        """Whether people who did not write first may be written to."""
        return self._cold.state(self._work.now())

    def close(self, method: str, wait: Wait) -> float:
        """Telegram asked for a wait; how long it is, a little longer than asked."""
        seconds = wait.seconds or 1.0
        seconds += min(_MAX_JITTER_SECONDS, seconds * _JITTER) * random.random()  # noqa: S311 - jitter
        self._close(method, wait, seconds)
        return seconds

    def peer_flood(self, held: Held, wait: Wait) -> float:
        """PEER_FLOOD; how long the message rests. Refused even to somebody who wrote first, the account is silent."""
        settings = self._work.settings
        if held.answers:
            self._close(SEND_MESSAGE, wait, settings.peer_flood_first_seconds)
            return settings.peer_flood_first_seconds
        if self._cold.close(self._work.now()):
            rest = peer_flood_rest(
                self._cold.strikes,
                first_seconds=settings.peer_flood_first_seconds,
                cap_seconds=settings.peer_flood_cap_seconds,
            )
            self._cold.until = self._work.now() + rest
            self._close(COLD, wait, rest)
        return self.wait_seconds(COLD)

    def note_left(self, held: Held) -> None:
        """A message is on the wire: after a PEER_FLOOD the first one is the probe."""
        if not held.answers and self._cold.note_left(self._work.now()):
            self._probe = held
            log.info("peer_flood.probe", account_id=self._work.account.id)

    def note_outcome(self, held: Held, outcome: Outcome) -> None:
        """What became of a message; of the probe in particular."""
        if held is not self._probe:
            return
        self._probe = None
        accepted = isinstance(outcome, Accepted)
        self._cold.probe_ended(accepted=accepted)
        if accepted:
            log.info("peer_flood.over", account_id=self._work.account.id)
            self._work.in_background(self._forget_cold())

    def _close(self, method: str, wait: Wait, seconds: float) -> None:
        FLOOD_WAITS.labels(wait.code).inc()
        until, before = self._work.now() + seconds, self._closed.get(method)
        self._work.loop.call_later(seconds + 0.01, self._on_change)
        if before is not None and until <= before.told_until + _WORTH_TELLING_SECONDS:
            # Of many that were on the wire together each tells the same: people need not hear of every one.
            before.until = max(before.until, until)
            return
        closed = self._closed[method] = _Closed(until, until, wait.code, wait.message)
        self._saving += 1
        self._work.in_background(self._save(method, closed, seconds))

    async def _save(self, method: str, closed: _Closed, seconds: float) -> None:
        work = self._work
        strikes = self._cold.strikes if method == COLD else 0
        statement = ("save_block", work.account.id, method, work.account.workspace_id, seconds, closed.code, strikes)
        try:
            closed.shown_until = await work.insist(lambda: work.tools.rows.written(work.account, work.term, statement))
            await work.insist(self._show)
        finally:
            self._saving -= 1

    async def _forget_cold(self) -> None:
        work = self._work
        statement = ("forget_block", work.account.id, COLD)
        await work.insist(lambda: work.tools.rows.written(work.account, work.term, statement))

    async def reopen(self) -> None:
        """Once a second: what is over is forgotten, and the account is shown active again."""
        now = self._work.now()
        self._closed = {method: one for method, one in self._closed.items() if one.until > now}
        if not self._saving:
            await self._show()

    async def _show(self) -> None:
        account, rows = self._work.account, self._work.tools.rows
        last = max(self._closed.items(), key=lambda one: one[1].until, default=None)
        if last is None:
            if account.status == "backing_off":
                await rows.move(account, "active", None)
            return
        method, closed = last
        if closed.shown_until is None or account.backing_off_until == closed.shown_until:
            return
        where = " (finding people)" if method in _FINDING else ""
        message = closed.message or "Told to an earlier owner of this account."
        await rows.move(account, "backing_off", f"{closed.code}: {message}{where}", until=closed.shown_until)

    def waits(self, *, finding: bool) -> list[Waiting]:
        """What of this keeps messages from leaving; `finding`: nobody is left but those who must be found first."""
        methods = (SEND_MESSAGE, COLD, *(_FINDING if finding else ()))
        return [
            Waiting(waiting_for_block(closed.code), closed.shown_until)
            for method in methods
            if (closed := self._closed.get(method)) is not None and closed.shown_until is not None
        ]
