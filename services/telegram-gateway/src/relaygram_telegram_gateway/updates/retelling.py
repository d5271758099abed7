"""Tells again what nobody decided: its stream was lost, say. Until then its person gets no messages."""

import asyncio
from collections.abc import Sequence

import structlog

from relaygram_telegram_gateway.adapters.pg_updates import Undecided
from relaygram_telegram_gateway.adapters.telethon_client import TelegramLink, TelegramRefusedError
from relaygram_telegram_gateway.adapters.telethon_requests import message_from
from relaygram_telegram_gateway.core.arrivals import Arrivals
from relaygram_telegram_gateway.sending.work import TRANSIENT, Work
from relaygram_telegram_gateway.updates.inbox import Inbox

log = structlog.get_logger(__name__)

_AT_ONCE = 100
_NOT_NOW: tuple[type[BaseException], ...] = (ConnectionError, TelegramRefusedError, *TRANSIENT)


class Retelling:
    """The undecided messages of one account."""

    def __init__(self, work: Work, inbox: Inbox) -> None:
        self._work = work
        self._inbox = inbox

    async def run(self) -> None:
        """For ever; bots have no chats to look into."""
        seconds = self._work.settings.undecided_seconds
        while True:
            await asyncio.sleep(seconds)
            link = self._work.link
            if link is None or self._work.account.is_bot:
                continue
            try:
                await self._retell(link, await self._inbox.rows.undecided(older_than_seconds=seconds, most=_AT_ONCE))
            except _NOT_NOW as error:
                log.info("inbound.not_retold", account_id=self._work.account.id, error=str(error))

    async def _retell(self, link: TelegramLink, messages: Sequence[Undecided]) -> None:
        for one in messages:
            written = await message_from(
                link, one.peer, one.message_id, timeout_seconds=self._work.settings.telegram_timeout_seconds
            )
            log.warning(
                "inbound.undecided",
                account_id=self._work.account.id,
                message_id=one.message_id,
                is_there=written is not None,
            )
            if written is not None:
                self._inbox.put(Arrivals((written,), (), None))
