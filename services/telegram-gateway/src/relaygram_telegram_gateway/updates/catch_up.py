"""Asks Telegram for what was missed: after each connection, every minute, and soon again when it could not be had.

Read receipts that Telegram tells no more (a gap too long, an account new here) are asked for by chat: those that got
one of the last messages, a hundred at a time.
"""

import asyncio
import random
from collections.abc import Sequence

import structlog

from relaygram_common.backoff import backoff_seconds
from relaygram_telegram_gateway.adapters.pg_updates import RecentChat
from relaygram_telegram_gateway.adapters.telethon_client import TelegramLink, TelegramRefusedError
from relaygram_telegram_gateway.adapters.telethon_requests import read_up_to
from relaygram_telegram_gateway.core.arrivals import Arrivals
from relaygram_telegram_gateway.core.outcomes import Wait
from relaygram_telegram_gateway.core.telegram_errors import outcome_of
from relaygram_telegram_gateway.sending.work import TRANSIENT, Work
from relaygram_telegram_gateway.updates.inbox import Inbox

log = structlog.get_logger(__name__)

_NOT_NOW: tuple[type[BaseException], ...] = (ConnectionError, TelegramRefusedError, *TRANSIENT)

_LOOK_SECONDS = 1.0
_RETRY_FIRST_SECONDS = 1.0
_MAX_BACKLOG = 10_000
# Chats of so many last messages are asked about, so many a time.
_RECENT_MESSAGES, _CHATS_AT_ONCE = 2000, 100


class CatchUp:
    """The asking for one account."""

    def __init__(self, work: Work, inbox: Inbox) -> None:
        self._work = work
        self._inbox = inbox
        self._link = 0  # that was asked last
        self._failures = 0
        self._is_retry = False
        self._due_at = 0.0
        self._read: dict[int, int] = {}  # chat: the newest message that is known to be read
        self._asked: dict[int, float] = {}  # chat: when

    async def run(self) -> None:
        """For ever."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            link = self._work.link
            if link is None:
                continue
            link.shorten_backlog(_MAX_BACKLOG)
            is_new = link.number != self._link  # it asks for what it missed when it connects
            if self._inbox.missed.is_set():
                self._retry_soon()
            elif is_new:
                self._due_at = self._work.now() + self._work.settings.catch_up_seconds
            if is_new or self._work.now() >= self._due_at:
                await self._ask(link, is_new=is_new)

    def _retry_soon(self) -> None:
        self._inbox.missed.clear()
        self._failures += 1
        self._is_retry = True
        pause = backoff_seconds(
            self._failures,
            first=_RETRY_FIRST_SECONDS,
            cap=self._work.settings.catch_up_seconds,
            jitter=random.random(),  # noqa: S311 - jitter
        )
        self._due_at = self._work.now() + pause

    async def _ask(self, link: TelegramLink, *, is_new: bool) -> None:
        if not is_new:
            self._failures = self._failures if self._is_retry else 0
            self._is_retry = False
            self._due_at = self._work.now() + self._work.settings.catch_up_seconds
            await self._ask_whether_logged_in(link)
            await link.catch_up()
        self._link = link.number
        if self._work.account.is_bot:
            return  # bots have no dialogs
        try:
            await self._ask_what_was_read(link)
        except _NOT_NOW as error:
            log.info("reads.not_asked", account_id=self._work.account.id, error=str(error) or type(error).__name__)

    async def _ask_whether_logged_in(self, link: TelegramLink) -> None:
        """A log-in that Telegram ended is known also of an account that has nothing to send."""
        try:
            await link.demand_authorized()
        except TelegramRefusedError as error:
            outcome = outcome_of(error.error)
            if isinstance(outcome, Wait) and outcome.scope == "account":
                self._work.end_account(outcome.code, outcome.message)
        except ConnectionError as error:
            log.debug("login.not_asked", account_id=self._work.account.id, error=str(error))

    async def _ask_what_was_read(self, link: TelegramLink) -> None:
        chats = await self._inbox.rows.recent_chats(_RECENT_MESSAGES)
        known = {chat.peer.user_id for chat in chats}
        self._read = {chat: message for chat, message in self._read.items() if chat in known}
        self._asked = {chat: at for chat, at in self._asked.items() if chat in known}
        unread = [chat for chat in chats if chat.newest_message_id > self._read.get(chat.peer.user_id, 0)]
        unread.sort(key=lambda chat: self._asked.get(chat.peer.user_id, 0.0))
        await self._ask_chats(link, unread[:_CHATS_AT_ONCE])

    async def _ask_chats(self, link: TelegramLink, chats: Sequence[RecentChat]) -> None:
        if not chats:
            return
        now = self._work.now()
        self._asked |= {chat.peer.user_id: now for chat in chats}
        found = await read_up_to(
            link, [chat.peer for chat in chats], timeout_seconds=self._work.settings.telegram_timeout_seconds
        )
        news = [one for one in found if one.message_id > self._read.get(one.chat_id, 0)]
        self._read |= {one.chat_id: one.message_id for one in news}
        if news:
            self._inbox.put(Arrivals((), tuple(news), None))
