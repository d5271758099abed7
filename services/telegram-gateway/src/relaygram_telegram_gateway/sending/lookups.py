"""Looks into chats for messages whose outcome is unknown: Telegram forgets a `random_id`, the chat does not forget.

A look counts only when nothing of the job can still be on its way: the connection that carried the attempt is gone,
and has been for a moment.
"""

import asyncio
from collections import deque
from collections.abc import Callable

import structlog

from relaygram_common.tasks import cancel_and_wait
from relaygram_telegram_gateway.adapters.pg_ledger import Entry, Sent
from relaygram_telegram_gateway.adapters.telethon_client import TelegramLink, TelegramRefusedError
from relaygram_telegram_gateway.adapters.telethon_requests import GET_HISTORY, history_page
from relaygram_telegram_gateway.core.outcomes import Refused, Wait
from relaygram_telegram_gateway.core.sent_lookup import ChatMessage, find_sent, reaches_back
from relaygram_telegram_gateway.core.telegram_errors import outcome_of
from relaygram_telegram_gateway.metrics import LOOKUPS
from relaygram_telegram_gateway.sending.attachments import Attachments
from relaygram_telegram_gateway.sending.held import Held
from relaygram_telegram_gateway.sending.recorder import Recorder
from relaygram_telegram_gateway.sending.wire import Wire
from relaygram_telegram_gateway.sending.work import Work

log = structlog.get_logger(__name__)

_MAX_PAGES = 20
_RETRY_SECONDS = 1.0


class Lookups:
    """The open looks of one account."""

    def __init__(
        self,
        work: Work,
        wire: Wire,
        recorder: Recorder,
        attachments: Attachments,
        *,
        resolve: Callable[[Held], None],
    ) -> None:
        self._work = work
        self._wire = wire
        self._recorder = recorder
        self._attachments = attachments
        self._resolve = resolve
        self._waiting: deque[Held] = deque()
        self._running: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def busy(self) -> int:
        """Jobs that wait for a look."""
        return len(self._waiting) + len(self._running)

    def add(self, held: Held) -> None:
        """Look for this job's message; then send it, or record `held.on_absent`."""
        known = held.peer is not None or held.admitted is None or held.admitted.decision == "gone"
        if known or self._work.account.is_bot:
            self.look(held)
        else:
            self._resolve(held)  # which brings it back here

    def look(self, held: Held) -> None:
        """The same without finding the person first: the ledger knows which chat an attempt went to."""
        if self._work.account.is_bot:
            self._absent(held)  # bots have no history: their random_id alone decides
        else:
            self._waiting.append(held)
            self.pump()

    def pump(self) -> None:
        """Begin as many looks as may run now."""
        self._timer = None
        work = self._work
        link = work.link
        if not self._waiting or link is None or work.ended is not None:
            return
        settled = work.last_link_end + work.settings.connection_settle_seconds - work.now()
        wait = max(settled, self._wire.blocks.wait_seconds(GET_HISTORY))
        if wait > 0:
            self._pump_later(wait)
            return
        while self._waiting and len(self._running) < work.settings.max_lookups_in_flight:
            held = self._waiting.popleft()
            if held.ghost_link == link.number:
                # An attempt without an answer may still be worked on over there, until this connection is gone.
                self._waiting.appendleft(held)
                link.cut()
                return
            task = asyncio.create_task(self._look(link, held), name="lookup")
            self._running.add(task)
            task.add_done_callback(self._done)

    def _pump_later(self, seconds: float) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(min(seconds, 1.0), self.pump)

    def _done(self, task: "asyncio.Task[None]") -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._work.failure = error
            self._work.wake.set()
        self.pump()

    async def _look(self, link: TelegramLink, held: Held) -> None:
        try:
            sent = await self._work.insist(lambda: self._where(held))
            found = None if sent.peer is None or sent.text is None else await self._search(link, held, sent)
        except ConnectionError:
            self._waiting.append(held)
            self._pump_later(_RETRY_SECONDS)
            return
        except TelegramRefusedError as error:
            self._refused(held, error)
            return
        if found is None:
            LOOKUPS.labels("absent").inc()
            self._absent(held)
        else:
            LOOKUPS.labels("found").inc()
            chat = sent.peer.user_id if sent.peer else None
            self._recorder.record(held, Entry(held.job.job_id, "accepted", chat=chat, message_id=found))

    async def _where(self, held: Held) -> Sent:
        """The chat, the text and the file; from the ledger, since the contact may be gone."""
        sent = await self._work.ledger.chat_of(held.job.job_id)
        held.text = held.text or sent.text or ""
        text = sent.text if sent.text is not None else held.text or None
        return Sent(held.peer or sent.peer, text, sent.media_id)

    async def _search(self, link: TelegramLink, held: Held, sent: Sent) -> int | None:
        peer, text, media_id = sent.peer, sent.text, sent.media_id
        if peer is None or text is None:
            return None
        media = None
        if media_id is not None:
            media = await self._work.insist(lambda: self._attachments.telegram_ids(media_id))
        not_before = (held.line.first_at or 0.0) - self._work.settings.lookup_margin_seconds
        messages: list[ChatMessage] = []
        before_id = 0
        for _ in range(_MAX_PAGES):
            page = await history_page(
                link, peer, before_id=before_id, timeout_seconds=self._work.settings.telegram_timeout_seconds
            )
            messages += page
            if reaches_back(page, not_before=not_before):
                break
            before_id = min(message.id for message in page)
        ids = [message.id for message in messages if message.outgoing]
        taken = await self._work.insist(lambda: self._work.ledger.taken(ids, held.job.job_id))
        # No pause from here until the id is claimed: two jobs may look for the same text in the same chat.
        return find_sent(messages, text, not_before=not_before, taken=taken | self._recorder.claimed, media=media)

    def _refused(self, held: Held, error: TelegramRefusedError) -> None:
        outcome = outcome_of(error.error)
        if isinstance(outcome, Wait) and outcome.scope == "account":
            self._work.end_account(outcome.code, outcome.message)
            self._waiting.append(held)
        elif isinstance(outcome, Wait):
            self._wire.blocks.close(GET_HISTORY, outcome)
            self._waiting.append(held)
        elif isinstance(outcome, Refused):
            # Neither sent again (it may be there) nor called sent.
            code, message = "OUTCOME_UNKNOWN", f"Telegram does not let the account read this chat: {error.error.name}."
            self._recorder.record(held, Entry(held.job.job_id, "refused", code=code, message=message))
        else:
            self._waiting.append(held)
            self._pump_later(_RETRY_SECONDS)

    def _absent(self, held: Held) -> None:
        if held.on_absent is not None:
            self._recorder.record(held, held.on_absent)
            return
        held.looked_up = True
        self._wire.add(held)
        self._wire.pump()

    async def stop(self) -> None:
        """Let go of everything."""
        self._waiting.clear()
        await cancel_and_wait(list(self._running))
