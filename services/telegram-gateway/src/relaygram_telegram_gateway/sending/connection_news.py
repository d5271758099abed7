"""Tells people why an active account stands still: Telegram, or the account's proxy, can not be reached."""

import structlog

from relaygram_common.database.pool import TRANSIENT_ERRORS
from relaygram_telegram_gateway.adapters.telethon_client import ProxyFailedError
from relaygram_telegram_gateway.sending.work import Work

log = structlog.get_logger(__name__)

NO_PROXY = "The account's proxy lets nothing through: check its address, user and password."
NO_TELEGRAM = "Telegram can not be reached at the moment; the gateway keeps trying."
_TRIES = 3


class ConnectionNews:
    """Counts failed tries in a row; the account's `status_reason` says so from the third on, until one succeeds."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._failures = 0

    async def failed(self, error: Exception) -> None:
        """A connection could not be made."""
        self._failures += 1
        if self._failures >= _TRIES:
            await self._tell(NO_PROXY if isinstance(error, ProxyFailedError) else NO_TELEGRAM)

    async def connected(self) -> None:
        """There is one."""
        self._failures = 0
        if self._work.account.status_reason in (NO_PROXY, NO_TELEGRAM):
            await self._tell(None)

    async def _tell(self, reason: str | None) -> None:
        account = self._work.account
        if account.status != "active" or account.status_reason == reason:
            return
        try:
            await self._work.tools.rows.move(account, "active", reason)
        except TRANSIENT_ERRORS as error:
            log.info("account.not_told", account_id=account.id, error=str(error) or type(error).__name__)
