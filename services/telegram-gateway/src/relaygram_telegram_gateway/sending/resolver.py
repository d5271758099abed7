"""Finds people on Telegram: by handle, else by phone. Has its own, slower limit and holds up nobody else."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import structlog

from relaygram_common.security.sealing import SealError
from relaygram_telegram_gateway.adapters.pg_ledger import FoundPeer
from relaygram_telegram_gateway.adapters.telethon_client import TelegramLink
from relaygram_telegram_gateway.adapters.telethon_errors import telegram_error
from relaygram_telegram_gateway.adapters.telethon_requests import (
    IMPORT_CONTACTS,
    RESOLVE_USERNAME,
    Found,
    asks_for_patience,
    delete_contact_request,
    found_person,
    import_request,
    username_request,
)
from relaygram_telegram_gateway.core.limiter import StartWindow
from relaygram_telegram_gateway.core.outcomes import Accepted, Outcome, Refused, Unknown, Wait
from relaygram_telegram_gateway.core.peer_choice import How, way_to
from relaygram_telegram_gateway.core.telegram_errors import TelegramError, outcome_of
from relaygram_telegram_gateway.metrics import RESOLVES
from relaygram_telegram_gateway.sending.giving_back import MAX_GIVEN_BACK_SECONDS, give_back
from relaygram_telegram_gateway.sending.held import Held
from relaygram_telegram_gateway.sending.wire import Wire
from relaygram_telegram_gateway.sending.work import Work

log = structlog.get_logger(__name__)

_NOBODY = Refused("USER_NOT_FOUND", "Nobody on Telegram has this username or phone.")
_UNREACHABLE = Refused(
    "PEER_NOT_RESOLVED", "This account has never met the person, and there is no username or phone to find them by."
)
_PATIENCE = Wait(3600.0, "method", "FLOOD_WAIT", "Telegram puts off finding people by phone.")
_METHODS: dict[How, str] = {"handle": RESOLVE_USERNAME, "phone": IMPORT_CONTACTS}


class Resolver:
    """The people of one account's jobs that are not known yet."""

    def __init__(
        self,
        work: Work,
        wire: Wire,
        *,
        on_found: Callable[[Held], None],
        on_outcome: Callable[[Held, Outcome], None],
    ) -> None:
        self._work = work
        self._wire = wire
        self._on_found = on_found
        self._on_outcome = on_outcome
        self.window = StartWindow(None, seconds=60.0)
        self._waiting: deque[Held] = deque()
        self._in_flight: dict[Held, None] = {}
        self._found: list[tuple[Held, FoundPeer]] = []
        self._wanted = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self.put_off_at = float("-inf")  # when somebody could not be looked for, because Telegram asked for a wait

    @property
    def busy(self) -> int:
        """Jobs whose people are being looked for."""
        return len(self._waiting) + len(self._in_flight) + len(self._found)

    def add(self, held: Held) -> None:
        """Find the job's person."""
        self._waiting.append(held)

    async def load(self) -> None:
        """What an earlier owner asked for in the last minute counts too."""
        now = self._work.now()
        self.window.remember([now - age for age in await self._work.ledger.recent_resolves()])

    def pump_soon(self) -> None:
        """From a timer."""
        self._timer = None
        self.pump()

    def pump(self) -> None:
        """Ask for as many people as may be asked for now."""
        work = self._work
        while self._waiting and work.link is not None and not work.stopping and work.ended is None:
            if len(self._in_flight) >= work.settings.max_resolves_in_flight:
                return
            held = self._waiting[0]
            how = _way(held, is_bot=work.account.is_bot)
            if how == "unreachable":
                self._waiting.popleft()
                self._on_outcome(held, _UNREACHABLE)
                continue
            now = work.now()
            blocked = self._wire.blocks.wait_seconds(_METHODS[how])
            if blocked > 0:
                self.put_off_at = now
            if blocked > work.settings.hold_seconds:
                self._waiting.popleft()
                give_back(work, [held], delay_seconds=min(blocked, MAX_GIVEN_BACK_SECONDS))
                continue
            wait = max(self.window.wait_seconds(now), blocked)
            if wait > 0:
                if self._timer is None:
                    self._timer = asyncio.get_running_loop().call_later(min(wait, 1.0), self.pump_soon)
                return
            self._waiting.popleft()
            if held.on_absent is None and not work.tools.states.runs(held.job.campaign_id):
                work.admit_again(held)  # which gives it back
                continue
            self._ask(work.link, held, how, now)

    def _ask(self, link: TelegramLink, held: Held, how: How, now: float) -> None:
        work = self._work
        try:
            request = self._phone_request(held) if how == "phone" else username_request(held.line.contact_handle or "")
            answer = link.send(request)
        except SealError as error:
            log.error("contact.phone_unreadable", contact_id=held.job.contact_id, error=str(error))
            self._on_outcome(held, Refused("PHONE_UNREADABLE", "The stored phone can not be opened with our keys."))
            return
        except ConnectionError:
            self._waiting.appendleft(held)
            link.cut()
            work.link = None
            return
        self.window.start(now)
        held.answer = answer
        held.sent_at = now
        self._in_flight[held] = None
        answer.add_done_callback(partial(self._answered, held, how))

    def _phone_request(self, held: Held) -> Any:
        return import_request(self._work.tools.phone_of(held.line.contact_phone_sealed or b"", held.job.campaign_id))

    def _answered(self, held: Held, how: How, answer: "asyncio.Future[Any]") -> None:
        error = None if answer.cancelled() else answer.exception()
        if held.answer is not answer:
            return  # given up before
        held.answer = None
        del self._in_flight[held]
        named = None if error is None else telegram_error(error)
        if named is not None:
            self._refused(held, how, named)
        elif error is not None or answer.cancelled():
            self._on_outcome(held, Unknown(network_failure=False, reason="the connection was lost"))
        else:
            self._resolved(held, how, answer.result())
        self.pump()

    def _refused(self, held: Held, how: How, error: TelegramError) -> None:
        outcome = outcome_of(error)
        RESOLVES.labels("refused").inc()
        if isinstance(outcome, Wait) and outcome.scope == "method":
            self._wire.blocks.close(_METHODS[how], outcome)
            self._waiting.appendleft(held)
        elif isinstance(outcome, Accepted):
            self._on_outcome(held, Unknown(network_failure=True, reason=error.name))
        else:
            self._on_outcome(held, outcome)

    def _resolved(self, held: Held, how: How, answer: Any) -> None:
        found = found_person(answer)
        RESOLVES.labels("found" if found else "nobody").inc()
        if found is not None:
            self._keep(held, how, found)
        elif asks_for_patience(answer):
            self._wire.blocks.close(IMPORT_CONTACTS, _PATIENCE)
            self._waiting.appendleft(held)
        else:
            self._on_outcome(held, _NOBODY)

    def _keep(self, held: Held, how: How, found: Found) -> None:
        one = held.line
        held.peer = found.peer
        handle = one.contact_handle if how == "handle" else found.handle
        phone_hash = one.contact_phone_hash if how == "phone" else None
        self._found.append((held, FoundPeer(held.job.job_id, found.peer, handle, phone_hash)))
        self._wanted.set()
        if how == "phone" and self._work.link is not None:
            try:
                self._work.link.send(delete_contact_request(found.peer)).add_done_callback(_ignore)
            except ConnectionError:
                log.info("contact.left", account_id=self._work.account.id)

    async def run(self) -> None:
        """Store who was found, in batches, before anything leaves for them."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            while self._found:
                batch = self._found[:500]
                anew = await self._work.insist(partial(self._store, [found for _, found in batch]))
                self._found = self._found[len(batch) :]
                for held, found in batch:
                    if found.peer.user_id in anew and held.on_absent is None:
                        self._work.in_background(self._admit_anew(held))
                    else:
                        self._on_found(held)
                self._wire.pump()
                self._work.wake.set()

    async def _store(self, found: Sequence[FoundPeer]) -> set[int]:
        """Returns those of whom more is known now than when their messages were admitted."""
        ledger = self._work.ledger
        await ledger.keep_peers(found)
        return await ledger.to_judge_anew(found)

    async def _admit_anew(self, held: Held) -> None:
        """By phone nobody could tell that it is the person who wrote, or who wants no messages."""
        if held.never_left:
            await self._work.insist(partial(self._work.ledger.withdraw, [held.job.job_id]))
        self._work.admit_again(held)

    def link_lost(self) -> None:
        """Asking again does no harm."""
        for held in reversed(list(self._in_flight)):
            held.answer = None
            self._waiting.appendleft(held)
        self._in_flight.clear()

    def give_up_overdue(self) -> None:
        """A few times a second: a request without an answer is asked again, over a new connection."""
        link = self._work.link
        oldest = next(iter(self._in_flight), None)
        if link is None or oldest is None:
            return
        if self._work.now() - oldest.sent_at > self._work.settings.telegram_timeout_seconds:
            del self._in_flight[oldest]
            oldest.answer = None
            self._on_outcome(oldest, Unknown(network_failure=True, reason="no answer in time"))


def _way(held: Held, *, is_bot: bool) -> How:
    one = held.line
    return way_to(known=False, handle=one.contact_handle, has_phone=one.contact_phone_sealed is not None, is_bot=is_bot)


def _ignore(answer: "asyncio.Future[Any]") -> None:
    if not answer.cancelled():
        answer.exception()
