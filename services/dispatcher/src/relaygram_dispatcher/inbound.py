"""What follows from what people write: each message is decided once, in one transaction, and acknowledged after it.

Nothing is published here: due rows, the outbox and the rows of the list are all there is, and the loops are rung.
"""

import asyncio
import random
from collections import OrderedDict
from dataclasses import dataclass

import structlog
from asyncpg import LockNotAvailableError
from faststream import AckPolicy
from faststream.nats import JStream, NatsBroker, NatsMessage, PullSub
from pydantic import ValidationError

from relaygram_common.backoff import backoff_seconds
from relaygram_common.contracts.public_events import InboundMessage
from relaygram_common.jetstream.acks import delivery_key
from relaygram_common.jetstream.dead_letters import dead_letter
from relaygram_common.jetstream.publisher import PublishError, WindowPublisher
from relaygram_common.outbox import OutboxRelay
from relaygram_common.topology import DISPATCHER, INBOUND_MESSAGES
from relaygram_dispatcher import metrics
from relaygram_dispatcher.adapters.pg_inbound import PgInbound, Undecided, UnknownAccountError, expiry
from relaygram_dispatcher.core.matching import answering
from relaygram_dispatcher.core.opt_out import OptOutWords
from relaygram_dispatcher.handlers import raw
from relaygram_dispatcher.runs import TRANSIENT, RunLoop

log = structlog.get_logger(__name__)

_AT_ONCE = 4  # connections that deciding takes from the runs, at most
_BATCH = 20
_PULL_SECONDS = 1.0  # what is given to a dispatcher that hangs is given again: better soon
_AGAIN_FIRST_SECONDS, _AGAIN_CAP_SECONDS = 0.2, 5.0
_MOST_FAULTS = 5  # tries of a message that fails by itself, not by an outage
_MOST_FAULTY = 10_000
_OUTAGES: tuple[type[BaseException], ...] = (*TRANSIENT, LockNotAvailableError)
_OPT_OUT_REASON = "Opted out by message"


@dataclass(frozen=True, slots=True)
class InboundRules:
    """What the installation has chosen."""

    cooldown_seconds: float
    max_trigger_age_seconds: float
    all_campaigns_answer: bool
    opt_out_words: OptOutWords
    opt_out_confirmation: str  # empty: none


class Inbound:
    """Decides messages; any number of dispatchers may."""

    def __init__(self, messages: PgInbound, rules: InboundRules) -> None:
        self._messages = messages
        self._rules = rules
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def decide(self, message: InboundMessage) -> str:
        """Decide a message that nobody has decided; what it was, or `known`. Raises UnknownAccountError."""
        async with self._turns, self._messages.undecided(message) as undecided:
            if undecided is None:
                return "known"
            if self._rules.opt_out_words.wanted(message.text):
                return await self._opt_out(undecided)
            await undecided.note_reply(opted_out=False)
            return await self._answer(undecided, message)

    async def _opt_out(self, undecided: Undecided) -> str:
        if await undecided.suppress(reason=_OPT_OUT_REASON):
            await undecided.note_reply(opted_out=True)
            if self._rules.opt_out_confirmation:
                await undecided.confirm(self._rules.opt_out_confirmation)
        await undecided.note_decision("opted_out")
        return "opted_out"

    async def _answer(self, undecided: Undecided, message: InboundMessage) -> str:
        rules, decision = self._rules, "nothing"
        campaigns = await undecided.auto_replies(cooldown_seconds=rules.cooldown_seconds)
        expires_at = expiry(message, max_age_seconds=rules.max_trigger_age_seconds)
        for campaign in answering(campaigns, message.text, all_answer=rules.all_campaigns_answer):
            if campaign.cooling:
                decision = "cooldown" if decision == "nothing" else decision
            else:
                contact_id = await undecided.answer(campaign.campaign_id, expires_at=expires_at)
                if contact_id is None:
                    continue  # it ended a moment ago
                if decision != "auto_reply":
                    await undecided.note_decision("auto_reply", campaign.campaign_id, contact_id)
                decision = "auto_reply"
            if not rules.all_campaigns_answer:
                break
        if decision == "cooldown":
            await undecided.note_decision(decision)
        return decision


class InboundDoor:
    """Messages as they come from JetStream, and what they are answered with."""

    def __init__(self, inbound: Inbound, publisher: WindowPublisher, runs: RunLoop, relay: OutboxRelay) -> None:
        self._inbound = inbound
        self._publisher = publisher
        self._runs = runs
        self._relay = relay
        self._faults: OrderedDict[str, int] = OrderedDict()

    async def take(self, payload: bytes, message: NatsMessage) -> None:
        """One delivery: decided, or given back until the database is there again; garbage goes to DEAD_LETTERS."""
        try:
            inbound = InboundMessage.model_validate_json(payload)
        except ValidationError as error:
            problem = error.errors(include_url=False, include_input=False, include_context=False)[0]
            where = ".".join(map(str, problem["loc"])) or "body"
            await self._bury(message, f"not an inbound message: {where}: {problem['msg']}")
            return
        try:
            decision = await self._inbound.decide(inbound)
        except _OUTAGES as error:
            metrics.FAILURES.labels("inbound").inc()
            log.warning("inbound.delayed", error=str(error) or type(error).__name__)
            await self._again(message)
        except UnknownAccountError as error:
            await self._bury(message, str(error))
        except Exception as error:
            # Not an outage: what is wrong with one message must not hold up all others, nor is it lost.
            metrics.FAILURES.labels("inbound").inc()
            log.exception("inbound.failed", account_id=inbound.account_id, message_id=inbound.message_id)
            if self._has_failed_often(message):
                await self._bury(message, f"can not be decided: {type(error).__name__}: {error}")
            else:
                await self._again(message)
        else:
            metrics.INBOUND.labels(decision).inc()
            self._runs.wake()
            self._relay.wake()
            await message.ack()

    async def _bury(self, message: NatsMessage, reason: str) -> None:
        try:
            await dead_letter(self._publisher, message.raw_message, reason=reason)
        except PublishError:
            await self._again(message)
        else:
            metrics.INBOUND.labels("dead_letter").inc()
            await message.ack()

    async def _again(self, message: NatsMessage) -> None:
        tries = message.raw_message.metadata.num_delivered
        jitter = random.random()  # noqa: S311 - spreads load
        seconds = backoff_seconds(tries, first=_AGAIN_FIRST_SECONDS, cap=_AGAIN_CAP_SECONDS, jitter=jitter)
        await message.nack(delay=seconds)

    def _has_failed_often(self, message: NatsMessage) -> bool:
        key = delivery_key(message.raw_message)
        failures = self._faults.pop(key, 0) + 1
        if failures < _MOST_FAULTS:
            self._faults[key] = failures
            if len(self._faults) > _MOST_FAULTY:
                self._faults.popitem(last=False)
        return failures >= _MOST_FAULTS


def subscribe_inbound(broker: NatsBroker, door: InboundDoor) -> None:
    """Listen to INBOUND_MESSAGES; call before the broker starts. All dispatchers share one durable consumer."""

    @broker.subscriber(
        "message.inbound.>",
        durable=DISPATCHER,
        stream=JStream(INBOUND_MESSAGES, declare=False),
        pull_sub=PullSub(batch_size=_BATCH, timeout=_PULL_SECONDS),
        ack_policy=AckPolicy.MANUAL,  # each other policy loses messages or turns in circles when something fails
        decoder=raw,
    )
    async def on_message(payload: bytes, message: NatsMessage) -> None:
        await door.take(payload, message)
