"""Puts messages on the wire, and takes their answers off it.

No task per message: a message is a future with a callback. `pump()` runs whenever something changed, and checks in
this order and without a pause between: connection, limiter, block, campaign state, chat. So nothing leaves on the
strength of what was true before a wait.
"""

import asyncio
import functools
from collections import deque
from collections.abc import Callable
from typing import Any

import structlog
from telethon.tl import functions

from relaygram_telegram_gateway.adapters.telethon_client import TelegramLink
from relaygram_telegram_gateway.adapters.telethon_errors import telegram_error
from relaygram_telegram_gateway.adapters.telethon_media import media_message
from relaygram_telegram_gateway.adapters.telethon_requests import SEND_MESSAGE, sent_message_id, text_message
from relaygram_telegram_gateway.core.limiter import ChatSpacing, CompletionWindow
from relaygram_telegram_gateway.core.outcomes import (
    Accepted,
    Outcome,
    Refused,
    Unknown,
    Wait,
    answer_is_overdue,
    must_look_first,
)
from relaygram_telegram_gateway.core.telegram_errors import outcome_of
from relaygram_telegram_gateway.core.turns import Turns
from relaygram_telegram_gateway.metrics import IN_FLIGHT
from relaygram_telegram_gateway.sending.blocks import COLD, Blocks
from relaygram_telegram_gateway.sending.giving_back import MAX_GIVEN_BACK_SECONDS, give_back
from relaygram_telegram_gateway.sending.held import Held, Lane
from relaygram_telegram_gateway.sending.work import Work

log = structlog.get_logger(__name__)

_PING_SECONDS = 5.0


class Wire:
    """The messages of one account that are ready to leave, or on their way."""

    def __init__(
        self,
        work: Work,
        window: CompletionWindow,
        *,
        on_outcome: Callable[[Held, Outcome], None],
        look_first: Callable[[Held], None],
    ) -> None:
        self._work = work
        self.window = window
        self.blocks = Blocks(work, self.pump_soon)
        self._on_outcome = on_outcome
        self._look_first = look_first
        self._ready: dict[Lane, deque[Held]] = {}
        self._waiting_for_chat = 0
        self._chats = ChatSpacing(work.settings.per_chat_seconds)
        self._turns: Turns[Lane] = Turns()
        self._in_flight: dict[Held, None] = {}  # oldest first
        self._pinged_at: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self.answering: set[int] = set()  # campaigns that answer people
        self.last_left_at = float("-inf")

    @property
    def in_flight(self) -> int:
        """Messages on the wire."""
        return len(self._in_flight)

    @property
    def ready(self) -> int:
        """Messages that may leave as soon as the limits let them."""
        return sum(len(queue) for queue in self._ready.values()) + self._waiting_for_chat

    @property
    def kept_back(self) -> int:
        """Of these, those to people who did not write first, while Telegram takes none."""
        if self.blocks.cold in ("open", "half_open"):
            return 0
        return sum(len(queue) for lane, queue in self._ready.items() if not lane.answers)

    def add(self, held: Held) -> None:
        """Admitted, rendered, and its person is known."""
        self._ready.setdefault(held.lane, deque()).append(held)

    def pump_soon(self) -> None:
        """From a callback."""
        self._timer = None
        self.pump()
        self._work.wake.set()

    def pump(self) -> None:
        """Send what may be sent now."""
        work = self._work
        while self._ready and work.link is not None and not work.stopping and work.ended is None:
            if len(self._in_flight) >= work.settings.max_in_flight:
                return
            now = work.now()
            wait = self.window.wait_seconds(now)
            if wait is None:
                return
            wait = max(wait, self._blocked_for())
            if wait > 0:
                self._pump_later(wait)
                return
            lane = self._next_lane()
            if lane is None:
                return
            if not work.tools.states.runs(lane.campaign_id):
                give_back(work, self._take(lane))
                continue
            held = self._next_of(lane)
            if work.has_heard_from(held.target.user_id, since=held.judged_at):
                give_back(work, [held])  # the person has written since: it may be a STOP
            elif must_look_first(
                held.facts(now, has_history=not work.account.is_bot),
                trust_seconds=work.settings.random_id_trust_seconds,
            ):
                self._look_first(held)
            elif not self._chat_is_busy(held, now):
                self._send(work.link, held, now)

    def _blocked_for(self) -> float:
        """How long nothing may leave; what would wait for long is given back."""
        wait = self.blocks.wait_seconds(SEND_MESSAGE)
        if wait > self._work.settings.hold_seconds:
            self._rest_for(wait, list(self._ready))
        return wait

    def _next_lane(self) -> Lane | None:
        """Whose turn it is: those who wait for an answer first; after a PEER_FLOOD only those who wrote."""
        lanes = list(self._ready)
        cold = self.blocks.cold
        if cold in ("closed", "probing"):
            lanes = [lane for lane in lanes if lane.answers]
            if cold == "closed" and self.blocks.wait_seconds(COLD) > self._work.settings.hold_seconds:
                self._rest_for(self.blocks.wait_seconds(COLD), [lane for lane in self._ready if not lane.answers])
        chosen = self._turns.choose(lanes, answering=[lane for lane in lanes if lane.urgent])
        if chosen is None and self._ready and cold == "closed":
            self._pump_later(self.blocks.wait_seconds(COLD))
        return chosen

    def _rest_for(self, seconds: float, lanes: list[Lane]) -> None:
        waiting = [held for lane in lanes for held in self._take(lane)]
        give_back(self._work, waiting, delay_seconds=min(seconds, MAX_GIVEN_BACK_SECONDS))

    def _next_of(self, lane: Lane) -> Held:
        queue = self._ready[lane]
        held = queue.popleft()
        if not queue:
            del self._ready[lane]
        return held

    def _take(self, lane: Lane) -> list[Held]:
        """Take back what has not left."""
        return list(self._ready.pop(lane, ()))

    def close_chat(self, chat: int, seconds: float) -> None:
        """This chat is to be left in peace for so long."""
        self._chats.complete(chat, self._work.now(), rest_seconds=seconds)

    def _chat_is_busy(self, held: Held, now: float) -> bool:
        wait = self._chats.wait_seconds(held.target.user_id, now)
        if wait <= 0:
            return False
        self._waiting_for_chat += 1
        asyncio.get_running_loop().call_later(min(wait, 1.0), self._chat_may_be_free, held)
        return True

    def _chat_may_be_free(self, held: Held) -> None:
        self._waiting_for_chat -= 1
        if held.job.job_id in self._work.held:
            self._ready.setdefault(held.lane, deque()).appendleft(held)
            self.pump()

    def _pump_later(self, seconds: float) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(min(seconds, 1.0), self.pump_soon)

    def _send(self, link: TelegramLink, held: Held, now: float) -> None:
        try:
            answer = link.send(_request(held))
        except ConnectionError:
            # Not on the wire, and nothing will be: the loss is about to be noticed.
            self._ready.setdefault(held.lane, deque()).appendleft(held)
            self._work.link = None
            link.cut()
            return
        held.note_sent(answer, now)
        self.window.start()
        self._chats.start(held.target.user_id)
        self.blocks.note_left(held)
        self.last_left_at = now
        self._in_flight[held] = None
        IN_FLIGHT.inc()
        answer.add_done_callback(functools.partial(self._answered, held))

    def _answered(self, held: Held, answer: "asyncio.Future[Any]") -> None:
        outcome = _outcome_of_answer(answer)
        if held.answer is answer:  # else it was given up before
            self._off_the_wire(held)
            if isinstance(outcome, Refused | Wait):
                held.note_not_accepted()
            self._on_outcome(held, outcome)
            self.pump()

    def _off_the_wire(self, held: Held) -> None:
        now = self._work.now()
        held.answer = None
        del self._in_flight[held]
        IN_FLIGHT.dec()
        self.window.complete(now)
        self._chats.complete(held.target.user_id, now)

    def link_lost(self) -> None:
        """Whatever is on the wire has an unknown outcome now."""
        self._pinged_at = None
        for held in list(self._in_flight):
            self._off_the_wire(held)
            self._on_outcome(held, Unknown(network_failure=False, reason="the connection was lost"))

    def give_up_overdue(self) -> None:
        """A few times a second: requests that get no answer, on a connection that lives or on a dead one."""
        link, work = self._work.link, self._work
        if link is None:
            return
        now, heard = work.now(), link.fence.last_heard_at
        for held in list(self._in_flight):
            verdict = answer_is_overdue(
                sent_at=held.sent_at, last_heard_at=heard, now=now,
                timeout_seconds=work.settings.telegram_timeout_seconds,
            )  # fmt: skip
            if verdict == "no":
                break  # the rest is younger
            if verdict == "ask":
                self._ask_whether_alive(link, now)
                break
            held.ghost_link = link.number
            self._off_the_wire(held)
            self._on_outcome(held, Unknown(network_failure=True, reason="no answer in time"))

    def _ask_whether_alive(self, link: TelegramLink, now: float) -> None:
        if self._pinged_at is None or link.fence.last_heard_at > self._pinged_at:
            self._pinged_at = now
            try:
                link.send(functions.PingRequest(int(now * 1000))).add_done_callback(_ignore)
            except ConnectionError:
                link.cut()
        elif now - self._pinged_at > _PING_SECONDS:
            log.warning("telegram.silent", account_id=self._work.account.id)
            link.cut()


def _request(held: Held) -> Any:
    if held.media_id is None:
        return text_message(held.job.job_id, held.target, held.text)
    if held.file is None:
        raise RuntimeError(f"job {held.job.job_id} has no file yet")
    return media_message(held.job.job_id, held.target, held.text, held.file)


def _ignore(answer: "asyncio.Future[Any]") -> None:
    if not answer.cancelled():
        answer.exception()


def _outcome_of_answer(answer: "asyncio.Future[Any]") -> Outcome:
    if answer.cancelled():
        return Unknown(network_failure=False, reason="the connection was lost")
    error = answer.exception()
    if error is None:
        return Accepted(sent_message_id(answer.result()))
    named = telegram_error(error)
    if named is not None:
        return outcome_of(named)
    return Unknown(network_failure=False, reason=str(error) or type(error).__name__)
