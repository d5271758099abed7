"""Admits jobs in batches and hands each to the part whose turn it is."""

import asyncio
from collections.abc import Sequence

import structlog
from nats.aio.msg import Msg
from pydantic import ValidationError

from relaygram_common.contracts.jobs import SendJob
from relaygram_common.jetstream.acks import ack_all
from relaygram_common.jetstream.dead_letters import dead_letter
from relaygram_common.tasks import set_or_timeout
from relaygram_common.templates import text_for, text_problem
from relaygram_telegram_gateway.adapters.pg_admission import Admitted
from relaygram_telegram_gateway.adapters.pg_ledger import Entry
from relaygram_telegram_gateway.metrics import HELD_JOBS
from relaygram_telegram_gateway.sending.allowance import Allowance
from relaygram_telegram_gateway.sending.attachments import Attachments
from relaygram_telegram_gateway.sending.giving_back import give_back
from relaygram_telegram_gateway.sending.held import Held
from relaygram_telegram_gateway.sending.lookups import Lookups
from relaygram_telegram_gateway.sending.pulling import Puller
from relaygram_telegram_gateway.sending.recorder import Recorder
from relaygram_telegram_gateway.sending.resolver import Resolver
from relaygram_telegram_gateway.sending.wire import Wire
from relaygram_telegram_gateway.sending.work import TRANSIENT, Work

log = structlog.get_logger(__name__)

_IDLE_SECONDS = 0.1
_ADMIT_AT_ONCE = 500
_GATHER_SECONDS = 0.01
_MAX_RESOLVING_SLOWLY = 100
_GIVEN_BACK_SECONDS = 10.0
_UNDECIDED_FIRST_SECONDS, _UNDECIDED_CAP_SECONDS = 0.25, 10.0


class Intake:
    """The way into one account's sender."""

    def __init__(
        self,
        work: Work,
        wire: Wire,
        recorder: Recorder,
        resolver: Resolver,
        lookups: Lookups,
        attachments: Attachments,
    ) -> None:
        self._work = work
        self._wire = wire
        self._recorder = recorder
        self._resolver = resolver
        self._lookups = lookups
        self._attachments = attachments
        self._arrived: list[tuple[int, Msg]] = []
        self.allowance = Allowance(work)
        self.pulling = Puller(work, wire, recorder, resolver, attachments, self.allowance)

    def on_jobs(self, campaign_id: int, messages: Sequence[Msg]) -> None:
        """A feed hands over what arrived."""
        self._arrived += [(campaign_id, message) for message in messages]
        self._work.wake.set()

    async def run(self) -> None:
        """Pull and admit for ever."""
        work = self._work
        while True:
            work.wake.clear()
            if not work.stopping and work.link is not None and work.ended is None:
                await self.pulling.pull(len(self._arrived))
                if self._wire.ready + self._resolver.busy > work.settings.max_in_flight:
                    await asyncio.sleep(_GATHER_SECONDS)  # the wire is busy: one admission of many costs less
                await self._admit_what_came()
            self._wire.pump()
            self._resolver.pump()
            self._lookups.pump()
            self._attachments.pump()
            HELD_JOBS.set(len(work.held))
            await self._rest()

    async def _rest(self) -> None:
        await set_or_timeout(self._work.wake, _IDLE_SECONDS if self.pulling.feeds else 10 * _IDLE_SECONDS)

    async def _admit_what_came(self) -> None:
        arrived, self._arrived = self._arrived, []
        batch = self._work.take_due()
        for campaign_id, message in arrived:
            held = await self._take_in(campaign_id, message)
            if held is not None:
                batch.append(held)
        batch = self._within_allowance(batch)
        while batch:
            now, batch = batch[:_ADMIT_AT_ONCE], batch[_ADMIT_AT_ONCE:]
            try:
                await self._admit(now)
            except TRANSIENT as error:
                log.warning("jobs.not_admitted", jobs=len(now), error=str(error) or type(error).__name__)
                for held in [*now, *batch]:
                    self._work.admit_again(held, after_seconds=0.3)
                return

    def _within_allowance(self, batch: list[Held]) -> list[Held]:
        """Tried again they count again: what the hour or the day no longer allows goes back to the stream."""
        left = self.allowance.left()
        if left is None or len(batch) <= left:
            return batch
        settling = [held for held in batch if self.pulling.settles(held.job.campaign_id)]
        others = [held for held in batch if not self.pulling.settles(held.job.campaign_id)]
        give_back(self._work, others[left:], delay_seconds=_GIVEN_BACK_SECONDS)
        return settling + others[:left]

    async def _take_in(self, campaign_id: int, message: Msg) -> Held | None:
        work = self._work
        try:
            job = SendJob.model_validate_json(message.data)
        except ValidationError as error:
            await self._bury(message, f"no send job: {error.errors()[0]['loc']}: {error.errors()[0]['msg']}")
            return None
        if (job.account_id, job.campaign_id) != (work.account.id, campaign_id) or job.subject != message.subject:
            await self._bury(message, f"the job belongs on {job.subject}")
            return None
        held = work.held.get(job.job_id)
        if held is not None:
            held.add_copy(message)  # ends together with the one in hand
            return None
        held = work.held[job.job_id] = Held.from_message(job, message, work.now())
        return held

    async def _bury(self, message: Msg, reason: str) -> None:
        publisher = self._work.tools.publisher
        try:
            await dead_letter(publisher, message, reason=reason)
            await ack_all(publisher, [message])
        except TRANSIENT as error:
            log.warning("dead_letter.delayed", error=str(error) or type(error).__name__)  # it comes again

    async def _admit(self, batch: Sequence[Held]) -> None:
        work, began = self._work, self._work.now()
        admitted, contents = await work.ledger.admit([held.job for held in batch], _text_of)
        self.allowance.use(len(contents))
        now = work.now()
        for held in batch:
            one = admitted[held.job.job_id]
            held.judged_at = began
            held.note_admission(one, contents.get(held.job.job_id), now)
            self._route(held, one)

    def _route(self, held: Held, one: Admitted) -> None:
        match one.decision:
            case "send":
                self.send(held)
            case "final":
                self._recorder.replay(held)
            case "paused":
                give_back(self._work, [held], delay_seconds=1.0)
                self._work.tools.read_states()
            case "undecided":
                # Not kept in hand: it would take the place of messages to others.
                give_back(self._work, [held], delay_seconds=_undecided_pause(held.deliveries))
            case "quiet":
                self._recorder.defer(held)
            case "foreign":
                self._recorder.let_go(held)
            case _ if one.ledger_state == "dropped":
                self._recorder.replay(held)
            case _:
                # Not to be sent (again), but it may have been: the chat has the last word.
                held.on_absent = _last_word(held, one)
                self._lookups.add(held)

    def send(self, held: Held) -> None:
        """Admitted: on to the wire, by way of whoever must find its person first."""
        if held.on_absent is not None:
            self._lookups.add(held)
        elif (problem := text_problem(held.text, is_caption=held.media_id is not None)) is not None:
            self._recorder.record(held, Entry(held.job.job_id, "refused", code="INVALID_CONTENT", message=problem))
        elif held.peer is not None:
            if self._attachments.attach(held):
                self._wire.add(held)
        elif self._resolver.window.limit is not None and self._resolver.busy >= _MAX_RESOLVING_SLOWLY:
            give_back(self._work, [held], delay_seconds=_GIVEN_BACK_SECONDS)
        else:
            self._resolver.add(held)


def _text_of(one: Admitted) -> str:
    return text_for(
        one.template or "",
        first_name=one.first_name,
        last_name=one.last_name,
        handle=one.contact_handle,
        columns=one.columns,
    )


def _last_word(held: Held, one: Admitted) -> Entry:
    if one.decision == "exhausted":
        message = f"Tried {one.attempt} times without an answer."
        return Entry(held.job.job_id, "refused", code="NETWORK", message=message)
    return Entry(held.job.job_id, "dropped", code=one.code, message=one.message)


def _undecided_pause(deliveries: int) -> float:
    """Decided within a moment as a rule; with the dispatcher away its jobs should not go round and round."""
    return float(min(_UNDECIDED_CAP_SECONDS, _UNDECIDED_FIRST_SECONDS * 2 ** min(deliveries - 1, 10)))
