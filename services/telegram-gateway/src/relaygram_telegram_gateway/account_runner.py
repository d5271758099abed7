"""Runs one account as long as its lease is ours: logs it in, sends for it, logs it out."""

import asyncio
import contextlib
import random
from dataclasses import dataclass

import structlog

from relaygram_common.backoff import backoff_seconds
from relaygram_common.database.pool import TRANSIENT_ERRORS
from relaygram_common.security.sealing import Sealer, SealError
from relaygram_telegram_gateway.account_place import place_of
from relaygram_telegram_gateway.adapters.nats_leases import LEASE_ERRORS, Lease, LeaseStore, lease_clock
from relaygram_telegram_gateway.adapters.pg_accounts import AccountRow, OwnConnection
from relaygram_telegram_gateway.adapters.pg_ledger import Ledger, TermLostError
from relaygram_telegram_gateway.adapters.telethon_client import (
    ProxyFailedError,
    TelegramPlace,
    TelegramRefusedError,
)
from relaygram_telegram_gateway.login import Login, LoginWaitError
from relaygram_telegram_gateway.logout import end_session, forget_login, stored_session
from relaygram_telegram_gateway.parts import run_together
from relaygram_telegram_gateway.sending.connection_news import NO_PROXY
from relaygram_telegram_gateway.sending.sender import Sender
from relaygram_telegram_gateway.sending.work import TRANSIENT, AccountEndedError, Tools, Work

log = structlog.get_logger(__name__)

_LEASE_CHECK_SECONDS = 0.1
_LEASE_RETRY_SECONDS = 0.5
_RESTART_CAP_SECONDS = 10.0
_NO_TELEGRAM = (
    "This installation has no Telegram application: set RELAYGRAM_TELEGRAM_API_ID and RELAYGRAM_TELEGRAM_API_HASH "
    "(from my.telegram.org) for the gateway, then connect the account."
)
_UNREADABLE = "How this account connects can not be read with this installation's keys: connect it again."
_PROXY_TRIES = 3
_PROXY_TRIES_TO_LOG_OUT = 12  # some two minutes
_MOVE_SECONDS = 0.7
_LOGGING_IN = 1_000_000  # somebody sits and waits
_WORTH_ANOTHER_TRY: tuple[type[BaseException], ...] = (*TRANSIENT, TelegramRefusedError)


@dataclass(frozen=True, slots=True)
class RunnerTools:
    """What runners need beside the senders' tools."""

    leases: LeaseStore
    sealer: Sealer
    sending: Tools


class AccountRunner:
    """One account under one lease."""

    def __init__(self, tools: RunnerTools, account: AccountRow, lease: Lease, *, wait_seconds: float) -> None:
        self.lease = lease
        self._tools = tools
        self._account = account
        self._wait_seconds = wait_seconds
        self._changed = asyncio.Event()
        self._sender: Sender | None = None
        self._term = 0
        self._proxy_failures = 0

    def update(self, account: AccountRow) -> None:
        """The account's row as it is now."""
        if account != self._account:
            self._changed.set()
        self._account = account
        if self._sender is not None:
            self._sender.update(account)

    def campaigns_changed(self) -> None:
        """Some campaign was started, paused or ended."""
        if self._sender is not None:
            self._sender.campaigns_changed()

    async def reconnected(self) -> None:
        """NATS is back."""
        if self._sender is not None:
            await self._sender.reconnected()

    @property
    def busy(self) -> int:
        """How much would be interrupted if another gateway took the account now."""
        if self._sender is not None:
            return self._sender.busy
        return 0 if self._account.status in ("active", "backing_off") else _LOGGING_IN

    async def run(self) -> None:
        """Until the lease is lost or another owner writes; cancelled when the account is no longer wanted here."""
        try:
            await run_together(self._keep_lease(), self._watch_lease(), self._work())
        except TermLostError as error:
            log.warning("account.taken_over", account_id=self._account.id, error=str(error))
        finally:
            self.lease.lost = self.lease.lost or not self.lease.is_valid()

    async def finish(self, *, within_seconds: float) -> None:
        """Told to stop: let what is on the wire end."""
        if self._sender is not None:
            await self._sender.finish(within_seconds=within_seconds)

    async def release_term(self) -> None:
        """Nobody runs the account any more; who asks is told so."""
        try:
            await self._tools.sending.rows.release_term(self._account.id, self._term)
        except TRANSIENT_ERRORS as error:
            log.info("term.not_released", account_id=self._account.id, error=str(error) or type(error).__name__)

    async def _keep_lease(self) -> None:
        """Renew at a third; ends when the lease is another's."""
        leases = self._tools.leases
        pause = leases.terms.renew_after_seconds
        while True:
            await asyncio.sleep(pause)
            try:
                if not await leases.renew(self.lease):
                    log.warning("lease.lost", account_id=self._account.id)
                    return
                pause = leases.terms.renew_after_seconds
            except LEASE_ERRORS as error:
                pause = _LEASE_RETRY_SECONDS
                log.info("lease.not_renewed", account_id=self._account.id, error=str(error) or type(error).__name__)

    async def _watch_lease(self) -> None:
        """Ends when the deadline passes: the connection is cut then, whatever else hangs."""
        while self.lease.is_valid():
            left = self.lease.deadline - lease_clock()
            await asyncio.sleep(max(_LEASE_CHECK_SECONDS, min(left, 1.0)))
        log.warning("lease.run_out", account_id=self._account.id)

    async def _work(self) -> None:
        await asyncio.sleep(self._wait_seconds)
        failures = 0
        while True:
            self._changed.clear()
            pause = 0.0
            try:
                if not self._term:
                    self._term = await self._tools.sending.rows.take_term(
                        self._account, self._tools.sending.settings.instance
                    )
                await self._do_what_is_due()
                failures = 0
            except TermLostError:
                raise
            except LoginWaitError as error:
                pause = error.seconds
            except _WORTH_ANOTHER_TRY as error:
                failures += 1
                pause = backoff_seconds(failures, first=0.3, cap=_RESTART_CAP_SECONDS, jitter=random.random())  # noqa: S311 - jitter
                log.warning("account.delayed", account_id=self._account.id, error=str(error) or type(error).__name__)
            if pause:
                await self._rest(pause)
            else:
                await self._changed.wait()

    async def _rest(self, seconds: float) -> None:
        """Telegram may ask for hours; whoever deletes the account meanwhile does not wait for that."""
        was_leaving = self._account.leaving
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._account.leaving == was_leaving:
                    self._changed.clear()
                    await self._changed.wait()

    async def _do_what_is_due(self) -> None:
        account = self._account
        if not self._tools.sending.settings.has_telegram and account.connection.api_id is None:
            await self._do_without_telegram()
            return
        try:
            place = place_of(account, self._tools.sending.place, self._tools.sealer)
        except (SealError, ValueError) as error:
            log.error("connection.unreadable", account_id=account.id, error=str(error))
            place = None
        if account.leaving:
            await self._log_out(place)
        elif place is None:
            await self._tools.sending.rows.move(account, "disabled", _UNREADABLE)
        elif account.status in ("active", "backing_off"):
            await self._send(place)
        elif not await self._login(place):
            log.debug("account.idle", account_id=account.id, status=account.status)

    async def _do_without_telegram(self) -> None:
        """Nobody was told which application this is: a log-in ends with that; who is logged in waits, with its jobs."""
        if self._account.status in ("active", "backing_off") or self._account.leaving:
            raise ConnectionError(_NO_TELEGRAM)
        await self._tools.sending.rows.move(self._account, "disabled", _NO_TELEGRAM)

    async def _login(self, place: TelegramPlace) -> bool:
        rows = self._tools.sending.rows
        login = Login(rows, place, self._tools.sealer, self._account, self.lease, self._term)
        try:
            done = await login.advance()
        except ProxyFailedError:
            self._proxy_failures += 1
            if self._proxy_failures < _PROXY_TRIES:
                raise
            await login.tell(NO_PROXY)
            if self._account.status == "new":
                return True
            raise
        self._proxy_failures = 0
        return done

    async def _send(self, place: TelegramPlace) -> None:
        account, tools = self._account, self._tools.sending
        session = await self._session()
        if session is None:
            await tools.rows.move(account, "disabled", "There is no log-in stored for this account: log it in again.")
            return
        ledger = Ledger(
            tools.pool,
            workspace_id=account.workspace_id,
            account_id=account.id,
            term=self._term,
            max_attempts=tools.settings.max_attempts,
        )
        work = Work(tools, account, place, ledger, self.lease, self._term)
        self._sender = Sender(work, session)
        try:
            await run_together(self._sender.run(), self._until_inactive(account.connection))
        except AccountEndedError as error:
            log.warning("account.ended", account_id=account.id, code=error.code)
            message = error.message
            await work.insist(lambda: tools.rows.move(self._account, "disabled", message))
            # Not a wait any more: its campaigns are paused.
            await work.insist(lambda: tools.rows.tell_wait(self._account, self._term, None))
        finally:
            self._sender = None

    async def _until_inactive(self, connection: OwnConnection) -> None:
        """Ends when the account is to be logged out, is no longer active, or is to connect in another way than this."""
        while not self._account.leaving and self._account.status in ("active", "backing_off"):
            if self._account.connection != connection:
                await self.finish(within_seconds=_MOVE_SECONDS)
                self._changed.set()  # to be begun again at once
                return
            self._changed.clear()
            await self._changed.wait()

    async def _log_out(self, place: TelegramPlace | None) -> None:
        session = await self._session()
        if session is not None and place is not None:
            try:
                await end_session(place, session, self.lease.is_valid)
            except ProxyFailedError:
                self._proxy_failures += 1
                if self._proxy_failures < _PROXY_TRIES_TO_LOG_OUT:
                    raise
                log.warning("session.not_ended", account_id=self._account.id)
        await forget_login(self._tools.sending.rows, self._account, self._term)
        log.info("account.logged_out", account_id=self._account.id)

    async def _session(self) -> str | None:
        return await stored_session(self._tools.sending.rows, self._tools.sealer, self._account.id)
