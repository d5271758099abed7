"""Writes outcomes down: ledger first, then the events, and only when these are acknowledged, the jobs.

Batches make it fast: whatever has come in while one batch was being written is the next batch.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog
from nats.aio.msg import Msg

from relaygram_common.contracts.states import MessageState
from relaygram_common.jetstream.acks import ack_all
from relaygram_common.jetstream.publisher import Outgoing
from relaygram_common.tasks import cancel_and_wait
from relaygram_telegram_gateway.adapters.pg_ledger import Entry, Recorded
from relaygram_telegram_gateway.core.events import Line, event_for, quiet_line, state_of
from relaygram_telegram_gateway.metrics import SENDS
from relaygram_telegram_gateway.sending.held import Held
from relaygram_telegram_gateway.sending.work import TRANSIENT, Work

log = structlog.get_logger(__name__)

_BATCH = 500
# A short wait makes one write of many: at some thousands a second this halves what a message costs PostgreSQL.
_GOOD_BATCH = 100
_GATHER_SECONDS = 0.01
_PUBLISHERS = 4


@dataclass(frozen=True, slots=True)
class _Told:
    """A job whose line in the ledger is written: what to publish, and what then."""

    held: Held
    line: Line | None  # None: nothing to tell
    retry_seconds: float | None = None  # None: the job ends here


@dataclass(frozen=True, slots=True)
class _Outcome:
    held: Held
    entry: Entry
    retry_seconds: float | None


class Recorder:
    """The way out of one account's sender."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._outcomes: list[_Outcome] = []
        self._told: list[_Told] = []
        self._pausing: set[int] = set()
        self._wanted = asyncio.Event()
        self._publishing: set[asyncio.Task[None]] = set()
        self.claimed: set[int] = set()  # message ids that are about to be written down
        self.open = 0  # jobs that are on their way out

    def record(self, held: Held, entry: Entry, *, retry_seconds: float | None = None) -> None:
        """Telegram's answer, or ours. With `retry_seconds` the outcome stays open and the job comes back."""
        SENDS.labels(entry.state if not entry.network_failed else "network").inc()
        if entry.message_id is not None:
            self.claimed.add(entry.message_id)
        self._outcomes.append(_Outcome(held, entry, retry_seconds))
        self.open += 1
        self._wanted.set()

    def replay(self, held: Held) -> None:
        """Decided before: its event again, from the ledger."""
        one = held.line
        line = Line(
            state_of(one.ledger_state or "", one.code), one.attempt, one.decided_at or datetime.now(UTC),
            one.sent_body, one.telegram_message_id, one.code, one.message,
        )  # fmt: skip
        self._tell(_Told(held, line))

    def defer(self, held: Held) -> None:
        """In quiet hours: its due row is written, so that it is told and acknowledged."""
        one, now = held.line, datetime.now(UTC)
        self._tell(_Told(held, quiet_line(one.attempt, now, one.quiet_until or now)))

    def let_go(self, held: Held) -> None:
        """Nothing to tell of it: only to be acknowledged."""
        self._tell(_Told(held, None))

    def pause_campaign(self, campaign_id: int) -> None:
        """Before the refusal is told: its content would be refused for everybody."""
        self._pausing.add(campaign_id)

    def _tell(self, told: _Told) -> None:
        self._told.append(told)
        self.open += 1
        self._wanted.set()

    async def run(self) -> None:
        """Write for ever; through outages of PostgreSQL and NATS."""
        while True:
            await self._wanted.wait()
            if len(self._outcomes) < _GOOD_BATCH:
                await asyncio.sleep(_GATHER_SECONDS)
            self._wanted.clear()
            while self._outcomes or self._told:
                await self._write_batch()

    async def stop(self) -> None:
        """Let go of what is being published."""
        await cancel_and_wait(list(self._publishing))

    async def drain(self) -> None:
        """Return when everything has been written, published and acknowledged."""
        while self.open:  # noqa: ASYNC110 - it happens once, when the process ends
            await asyncio.sleep(0.02)

    async def _write_batch(self) -> None:
        outcomes, self._outcomes = self._outcomes[:_BATCH], self._outcomes[_BATCH:]
        told, self._told = self._told, []
        while self._pausing:
            await self._pause(self._pausing.pop())
        if outcomes:
            told += await self._written(outcomes)
        while len(self._publishing) >= _PUBLISHERS:
            await asyncio.wait(self._publishing, return_when=asyncio.FIRST_COMPLETED)
        task = asyncio.create_task(self._publish(told), name="publish-outcomes")
        self._publishing.add(task)
        task.add_done_callback(self._published)

    def _published(self, task: "asyncio.Task[None]") -> None:
        self._publishing.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._work.failure = error
            self._work.wake.set()

    async def _pause(self, campaign: int) -> None:
        work = self._work
        await work.insist(lambda: work.tools.rows.pause_campaign(work.account.workspace_id, campaign))

    async def _written(self, outcomes: Sequence[_Outcome]) -> list[_Told]:
        recorded = await self._work.insist(lambda: self._work.ledger.record([outcome.entry for outcome in outcomes]))
        told = []
        for outcome in outcomes:
            held, entry = outcome.held, outcome.entry
            if entry.message_id is not None:
                self.claimed.discard(entry.message_id)
            row = recorded.get(held.job.job_id)
            if row is None:
                # Decided before, by whomever: admission tells what was decided.
                self.open -= 1
                self._work.admit_again(held)
            else:
                told.append(_Told(held, _line(held, entry, row), outcome.retry_seconds))
        return told

    async def _publish(self, told: Sequence[_Told]) -> None:
        outgoing = []
        for one in told:
            if one.line is not None:
                event = event_for(one.held.job, one.held.person, one.line, sender=self._work.sender_name)
                outgoing.append(Outgoing(event.subject, event.model_dump_json().encode(), event.headers))
        publisher = self._work.tools.publisher
        await self._work.insist(lambda: publisher.publish(outgoing))
        await self._close_singles(told)
        await self._acknowledge(
            [message for one in told if one.retry_seconds is None for message in one.held.messages.values()]
        )
        for one in told:
            self.open -= 1
            if one.retry_seconds is None:
                self._work.drop(one.held)
            else:
                self._work.admit_again(one.held, after_seconds=one.retry_seconds)
        self._work.wake.set()

    async def _close_singles(self, told: Sequence[_Told]) -> None:
        """Before the acknowledgement: a job that comes again would close nothing any more."""
        tests = [one.held.job.job_id for one in told if not one.held.job.campaign_id and one.retry_seconds is None]
        if tests:
            await self._work.insist(lambda: self._work.ledger.close_singles(tests))

    async def _acknowledge(self, messages: list[Msg]) -> None:
        try:
            await ack_all(self._work.tools.publisher, messages)
        except TRANSIENT as error:
            # They come again, and admission finds them decided.
            log.info("jobs.not_acknowledged", jobs=len(messages), error=str(error) or type(error).__name__)


def _line(held: Held, entry: Entry, row: Recorded) -> Line:
    state = MessageState.RETRYING if row.state == "sending" else state_of(row.state, entry.code)
    return Line(
        state, row.attempt, row.decided_at or datetime.now(UTC), held.text, entry.message_id, entry.code, entry.message
    )
