"""The stored log-in of an account: opening it, and its end at Telegram and with us."""

import contextlib
from collections.abc import Callable

import structlog

from relaygram_common.security.sealing import Sealer, SealError
from relaygram_telegram_gateway.adapters import telethon_login
from relaygram_telegram_gateway.adapters.pg_accounts import AccountRow, AccountRows
from relaygram_telegram_gateway.adapters.telethon_client import TelegramLink, TelegramPlace, TelegramRefusedError

log = structlog.get_logger(__name__)


async def stored_session(rows: AccountRows, sealer: Sealer, account_id: int) -> str | None:
    """The session string; None when there is none that our keys open."""
    sealed = await rows.session(account_id)
    if sealed is None:
        return None
    try:
        return sealer.open(sealed, owner=f"session:{account_id}")
    except SealError as error:
        log.error("session.unreadable", account_id=account_id, error=str(error))
        return None


async def end_session(place: TelegramPlace, session: str, lease_is_valid: Callable[[], bool]) -> None:
    """Log out at Telegram. Raises ConnectionError."""
    async with TelegramLink(place, session, lease_is_valid) as link:
        with contextlib.suppress(TelegramRefusedError):  # ended before
            await link.connect()
            await telethon_login.log_out(link)


async def forget_login(rows: AccountRows, account: AccountRow, term: int) -> None:
    """Nothing of the log-in stays with us."""
    await rows.written(
        account, term, ("forget_wait", account.id),
        ("forget_session", account.id), ("forget_login", account.id), ("forget_connection", account.id),
        ("forget_secrets", account.id, ["phone", "bot_token", "session_string", "code", "password"]),
    )  # fmt: skip
