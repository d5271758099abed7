"""Publishes what arrives for one account, and only then keeps the state behind it.

Whatever happens before that (a kill, a lost connection, NATS away, another gateway) costs a repetition: Telegram gives
everything after the kept state again, under the same ids.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from functools import partial

import structlog

from relaygram_common.jetstream.publisher import Outgoing
from relaygram_common.tasks import set_or_timeout
from relaygram_telegram_gateway.adapters.pg_ledger import TermLostError
from relaygram_telegram_gateway.adapters.pg_updates import UpdateRows
from relaygram_telegram_gateway.adapters.telethon_client import TelegramLink
from relaygram_telegram_gateway.core.arrivals import (
    Arrivals,
    ReadUpTo,
    UpdateState,
    Written,
    inbound_event,
    read_receipt,
    reply_receipt,
)
from relaygram_telegram_gateway.metrics import INBOUND, READS
from relaygram_telegram_gateway.sending.work import Work

log = structlog.get_logger(__name__)

# In hand at most: then Telegram's connection is left to wait.
_MAX_IN_HAND = 2000
_BATCH = 500
# What moves the state without telling anybody anything (our own messages do) need not be written down each time.
_IDLE_SAVE_SECONDS = 5.0
_LOOK_SECONDS = 0.25


class Inbox:
    """The arrivals of one account under one term."""

    def __init__(self, work: Work) -> None:
        self._work = work
        account = work.account
        self.rows = UpdateRows(
            work.tools.pool, workspace_id=account.workspace_id, account_id=account.id, term=work.term
        )
        self.state: UpdateState | None = None  # behind everything that was taken: where a new connection goes on
        self.missed = asyncio.Event()  # something could not be fetched
        self._waiting: deque[Arrivals] = deque()
        self._in_hand = 0
        self._busy = False  # something that is not waiting any more is not published yet
        self._unnoted = 0  # messages that were taken and of which no row tells yet
        self._moved = asyncio.Event()  # the state, or what is noted
        self._wanted = asyncio.Event()
        self._room = asyncio.Event()
        self._unsaved: UpdateState | None = None
        self._saved: UpdateState | None = None
        self._save_at = 0.0

    async def load(self) -> None:
        """Where the last owner stopped."""
        self.state = self._saved = await self.rows.state()

    async def connected(self, link: TelegramLink, now: UpdateState) -> None:
        """A connection that went on from `state`, or began where Telegram stood; `now` is where Telegram stands.

        Returns when all that came before is noted: nothing may be sent to who said STOP meanwhile. Raises
        ConnectionError when the state was not this person's: then the next connection begins anew.
        """
        if self.state is None:
            self.put(Arrivals((), (), link.update_state()))
        elif link.begun_at is not None and link.begun_at.pts > now.pts:
            log.warning("updates.begun_anew", account_id=self._work.account.id, pts=now.pts)
            await self._work.insist(partial(self.rows.save_state, now))
            self.state = self._saved = now
            raise ConnectionError("the kept state of updates is ahead of Telegram's")
        else:
            await self._until_noted(link, now)

    async def _until_noted(self, link: TelegramLink, now: UpdateState) -> None:
        """Not for ever: an account whose updates can not be had still sends."""
        give_up_at = self._work.now() + self._work.settings.catch_up_wait_seconds
        while self.state is None or self.state.pts < now.pts or self._unnoted:
            if link.fence.ended.is_set():
                raise ConnectionError("the connection was lost")
            if self._work.now() > give_up_at:
                log.warning("updates.sends_do_not_wait", account_id=self._work.account.id)
                return
            self._moved.clear()
            await set_or_timeout(self._moved, _LOOK_SECONDS)

    def not_caught_up(self, reason: str) -> None:
        """What was missed could not be fetched now: it is asked for again soon."""
        log.info("updates.not_caught_up", account_id=self._work.account.id, reason=reason)
        self.missed.set()

    async def take(self, arrivals: Arrivals) -> None:
        """From the connection, in order. Waits while too much is in hand."""
        while self._in_hand >= _MAX_IN_HAND:
            self._room.clear()
            await self._room.wait()
        self.put(arrivals)

    def put(self, arrivals: Arrivals) -> None:
        """The same without waiting."""
        self.state = arrivals.state or self.state
        self._unnoted += len(arrivals.written)
        self._moved.set()
        size = len(arrivals.written) + len(arrivals.reads)
        if not size and not self._waiting and not self._busy:
            # Our own messages move the state thousands of times a second: nobody is woken for that.
            if self._unsaved is None:
                self._wanted.set()
            self._unsaved = arrivals.state or self._unsaved
            return
        if not size and self._waiting:
            last = self._waiting.pop()
            arrivals = Arrivals(last.written, last.reads, arrivals.state or last.state)
        self._in_hand += size
        self._waiting.append(arrivals)
        self._wanted.set()

    async def run(self) -> None:
        """Publish for ever, through outages of PostgreSQL and NATS."""
        while True:
            await self._wait()
            batch = self._next()
            self._busy = bool(batch)
            written = [one for arrivals in batch for one in arrivals.written]
            reads = [one for arrivals in batch for one in arrivals.reads]
            if written:
                await self._work.insist(partial(self.rows.note, written))
                self._unnoted -= len(written)
                self._moved.set()
                self._work.note_heard(one.from_id for one in written)
            if written or reads:
                await self._work.insist(partial(self._publish, written, reads))
            self._in_hand -= len(written) + len(reads)
            self._room.set()
            for arrivals in batch:
                self._unsaved = arrivals.state or self._unsaved
            self._busy = False
            await self._save(now=bool(written or reads))

    async def _wait(self) -> None:
        """For arrivals, or until it is time to write the state down."""
        if self._waiting:
            return
        self._wanted.clear()
        left = None if self._unsaved is None else max(0.0, self._save_at - self._work.now())
        await set_or_timeout(self._wanted, left)

    def _next(self) -> list[Arrivals]:
        batch: list[Arrivals] = []
        size = 0
        while self._waiting and size < _BATCH:
            batch.append(self._waiting.popleft())
            size += len(batch[-1].written) + len(batch[-1].reads)
        return batch

    async def _publish(self, written: Sequence[Written], reads: Sequence[ReadUpTo]) -> None:
        account, publisher = self._work.account, self._work.tools.publisher
        outgoing = []
        for message in written:
            event = inbound_event(account.workspace_id, account.id, message)
            outgoing.append(Outgoing(event.subject, event.model_dump_json().encode(), event.headers))
        receipts = [reply_receipt(account.workspace_id, account.id, one) for one in written]
        receipts += [read_receipt(account.workspace_id, account.id, one) for one in reads]
        outgoing += [Outgoing(one.subject, one.model_dump_json().encode()) for one in receipts]
        if not self._work.lease.is_valid():
            raise TermLostError("the lease has run out")
        await publisher.publish(outgoing)
        INBOUND.inc(len(written))
        READS.inc(len(reads))

    async def _save(self, *, now: bool) -> None:
        state = self._unsaved
        if state is None:
            return
        if not now and self._saved is not None and self._work.now() < self._save_at:
            return
        if state != self._saved:
            await self._work.insist(partial(self.rows.save_state, state))
        self._saved = state
        if self._unsaved is state:  # else it has moved on meanwhile
            self._unsaved = None
        self._save_at = self._work.now() + _IDLE_SAVE_SECONDS
