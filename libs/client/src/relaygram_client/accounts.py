"""Telegram accounts: connecting them, their limits, and logging them out."""

import asyncio
from collections.abc import Collection
from typing import TypedDict, Unpack

from relaygram_client.models.accounts import TelegramAccount
from relaygram_client.paging import Listing, one
from relaygram_client.transport import Transport

_POLL_SECONDS = 0.5


class LimitChanges(TypedDict, total=False):
    """Those given change; None is no limit."""

    messages_per_second: int | None
    messages_per_hour: int | None
    messages_per_day: int | None
    warm_up: bool
    resolves_per_minute: int | None


class AccountOptions(TypedDict, total=False):
    """What else can be said of a new account: its own application and proxy, if other than the installation's."""

    name: str | None
    api_id: int | None
    api_hash: str | None
    proxy: str | None


class Credential(TypedDict, total=False):
    """One of them, as it suits the account's kind."""

    phone: str | None
    bot_token: str | None
    session_string: str | None


class AccountChanges(TypedDict, total=False):
    """Those given change."""

    name: str | None
    limits: LimitChanges
    proxy: str | None


class Accounts:
    """`relaygram.accounts`"""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self) -> Listing[TelegramAccount]:
        """All accounts of the workspace, in the order they were made."""
        return Listing(self._transport, "/telegram-accounts", TelegramAccount)

    async def get(self, account_id: int) -> TelegramAccount:
        """One account."""
        return one(TelegramAccount, await self._transport.call("GET", _path(account_id)))

    async def connect_phone(self, phone: str, **options: Unpack[AccountOptions]) -> TelegramAccount:
        """A person's account by its phone; Telegram sends it a code: wait for `code_required`, then `enter_code`."""
        return await self._connect({"kind": "user", "phone": phone, **options})

    async def connect_session(self, session_string: str, **options: Unpack[AccountOptions]) -> TelegramAccount:
        """A person's account by a session (Telethon's StringSession) that is logged in already."""
        return await self._connect({"kind": "user", "session_string": session_string, **options})

    async def connect_bot(self, bot_token: str, **options: Unpack[AccountOptions]) -> TelegramAccount:
        """A bot by the token that BotFather gave."""
        return await self._connect({"kind": "bot", "bot_token": bot_token, **options})

    async def connect_again(self, account_id: int, **credential: Unpack[Credential]) -> TelegramAccount:
        """Log a disabled account in anew, under the same id; its campaigns go on when it is active."""
        return await self._step(account_id, "connect", {**credential})

    async def enter_code(self, account_id: int, code: str) -> TelegramAccount:
        """The code that Telegram sent to the account."""
        return await self._step(account_id, "code", {"code": code})

    async def enter_password(self, account_id: int, password: str) -> TelegramAccount:
        """The account's two-step password."""
        return await self._step(account_id, "password", {"password": password})

    async def resend_code(self, account_id: int) -> TelegramAccount:
        """Ask Telegram for another code."""
        return await self._step(account_id, "resend-code", None)

    async def wait(
        self, account_id: int, until: Collection[str] = ("active",), *, timeout_seconds: float = 60.0
    ) -> TelegramAccount:
        """Poll until the account's status is one of these. Raises TimeoutError."""
        async with asyncio.timeout(timeout_seconds):
            while True:
                account = await self.get(account_id)
                if account.status in until:
                    return account
                await asyncio.sleep(_POLL_SECONDS)

    async def update(self, account_id: int, **changes: Unpack[AccountChanges]) -> TelegramAccount:
        """Change the name or limits, the keys given only; in effect within a second."""
        return one(TelegramAccount, await self._transport.call("PATCH", _path(account_id), json=changes))

    async def delete(self, account_id: int) -> None:
        """Log it out at Telegram and forget it; its running campaigns pause."""
        await self._transport.call("DELETE", _path(account_id))

    async def _connect(self, body: dict[str, object]) -> TelegramAccount:
        return one(TelegramAccount, await self._transport.call("POST", "/telegram-accounts", json=body))

    async def _step(self, account_id: int, step: str, body: dict[str, object] | None) -> TelegramAccount:
        return one(TelegramAccount, await self._transport.call("POST", f"{_path(account_id)}/{step}", json=body))


def _path(account_id: int) -> str:
    return f"/telegram-accounts/{account_id}"
