"""Which accounts this gateway runs: its fair share of those that need an owner, each under a lease."""

import asyncio
import random
import time

import structlog

from relaygram_common.backoff import backoff_seconds
from relaygram_common.database.pool import TRANSIENT_ERRORS
from relaygram_common.tasks import cancel_and_wait
from relaygram_telegram_gateway.account_runner import AccountRunner, RunnerTools
from relaygram_telegram_gateway.adapters.nats_leases import LEASE_ERRORS, Lease, Seen
from relaygram_telegram_gateway.adapters.nats_presence import Presence
from relaygram_telegram_gateway.adapters.pg_accounts import AccountRow
from relaygram_telegram_gateway.core.lease_clock import fair_share, wait_before_connecting
from relaygram_telegram_gateway.metrics import LEASES

log = structlog.get_logger(__name__)

_LOOKS_AT_ONCE = 50
_MAX_LOOKS = 200
# Beyond its fair share a gateway takes an account only when nobody else did for so long.
_UNSHARED_SECONDS = 2.5
_ALIVE_SECONDS = 3.0  # the api takes a gateway that was silent for 10 s for gone
_TRANSIENT: tuple[type[BaseException], ...] = (*TRANSIENT_ERRORS, *LEASE_ERRORS)


class Fleet:
    """The accounts of this gateway."""

    def __init__(self, tools: RunnerTools, presence: Presence) -> None:
        self._tools = tools
        self._presence = presence
        self._runners: dict[int, AccountRunner] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._held_elsewhere: set[int] = set()
        self._free_since: dict[int, float] = {}
        self._look_now = asyncio.Event()
        self._looks = asyncio.Semaphore(_LOOKS_AT_ONCE)
        self._taking = 0  # at this moment
        self._closing = False
        self._said_alive = float("-inf")

    def accounts(self) -> list[int]:
        """Accounts that we run."""
        return list(self._runners)

    def wake(self) -> None:
        """An account's row changed."""
        self._look_now.set()

    def campaigns_changed(self) -> None:
        """Some campaign's state changed."""
        for runner in self._runners.values():
            runner.campaigns_changed()

    async def reconnected(self) -> None:
        """NATS is back."""
        for runner in list(self._runners.values()):
            await runner.reconnected()
        self.wake()

    async def run(self) -> None:
        """Look after the accounts for ever, also through outages."""
        failures = 0
        while True:
            self._look_now.clear()
            pause = self._tools.sending.settings.accounts_poll_seconds
            try:
                await self._look_after()
                failures = 0
            except _TRANSIENT as error:
                failures += 1
                pause = backoff_seconds(failures, first=0.2, cap=2.0, jitter=random.random())  # noqa: S311 - jitter
                log.warning("accounts.not_read", error=str(error) or type(error).__name__)
            try:
                async with asyncio.timeout(pause):
                    await self._look_now.wait()
            except TimeoutError:
                continue

    async def _look_after(self) -> None:
        await self._say_alive()
        wanted = {account.id: account for account in await self._tools.sending.rows.wanted()}
        for account_id, runner in list(self._runners.items()):
            if account_id in wanted:
                runner.update(wanted[account_id])
            else:
                await self._stop(account_id, within_seconds=1.0)
        others = [account for account in wanted.values() if account.id not in self._runners]
        if others and not self._closing:
            random.shuffle(others)
            await asyncio.gather(*(self._consider(account, len(wanted)) for account in others[:_MAX_LOOKS]))
        LEASES.set(len(self._runners))

    async def _say_alive(self) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._said_alive >= _ALIVE_SECONDS:
            await self._tools.sending.rows.say_alive(self._tools.sending.settings.instance)
            self._said_alive = now

    async def _consider(self, account: AccountRow, wanted: int) -> None:
        async with self._looks:
            seen = await self._tools.leases.look(account.id)
            now = asyncio.get_running_loop().time()
            if seen.holder is not None:
                self._held_elsewhere.add(account.id)
                self._free_since.pop(account.id, None)
                return
            free_for = now - self._free_since.setdefault(account.id, now)
            share = fair_share(wanted, self._presence.gateways())
            if len(self._runners) + self._taking >= share and free_for < _UNSHARED_SECONDS:
                return
            self._taking += 1
            try:
                lease = await self._take(account, seen)
            finally:
                self._taking -= 1
            if lease is None:
                return
            expired = seen.expired or (account.id in self._held_elsewhere and seen.revision == 0)
            self._held_elsewhere.discard(account.id)
            self._free_since.pop(account.id, None)
            self._begin(account, lease, expired=expired)

    async def _take(self, account: AccountRow, seen: Seen) -> Lease | None:
        if not await self._bucket_is_trusted(account):
            return None
        lease = await self._tools.leases.take(account.id, seen)
        if lease is not None and self._closing:
            await self._tools.leases.release(lease)
            return None
        return lease

    async def _bucket_is_trusted(self, account: AccountRow) -> bool:
        """After the bucket was lost a free key proves nothing until every old lease has run out."""
        leases = self._tools.leases
        age = await leases.bucket_age_seconds(time.time())
        if age > leases.terms.ttl_seconds + leases.terms.margin_seconds:
            return True
        return not await self._tools.sending.rows.has_had_owner(account.id)

    def _begin(self, account: AccountRow, lease: Lease, *, expired: bool) -> None:
        wait = wait_before_connecting(seen_expired=expired, margin_seconds=self._tools.leases.terms.margin_seconds)
        runner = AccountRunner(self._tools, account, lease, wait_seconds=wait)
        self._runners[account.id] = runner
        task = asyncio.create_task(runner.run(), name=f"account-{account.id}")
        self._tasks[account.id] = task
        task.add_done_callback(lambda done: self._ended(account.id, runner, done))
        log.info("account.taken", account_id=account.id, after_expiry=expired)

    def _ended(self, account_id: int, runner: AccountRunner, task: "asyncio.Task[None]") -> None:
        if self._runners.get(account_id) is runner:
            del self._runners[account_id], self._tasks[account_id]
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("account.died", account_id=account_id, exc_info=error)
        # A lease that is still ours dies by itself; nobody begins before that.
        self.wake()

    async def _stop(self, account_id: int, *, within_seconds: float) -> None:
        runner, task = self._runners.get(account_id), self._tasks.get(account_id)
        if runner is None or task is None:
            return
        await runner.finish(within_seconds=within_seconds)
        await cancel_and_wait([task])
        if runner.lease.is_valid():
            await runner.release_term()
            await self._tools.leases.release(runner.lease)
        log.info("account.let_go", account_id=account_id)

    async def close(self, *, within_seconds: float) -> None:
        """Told to stop: finish what is on the wire, let go of all leases."""
        self._closing = True
        await asyncio.gather(
            *(self._stop(account_id, within_seconds=within_seconds) for account_id in list(self._runners))
        )
        try:
            await self._tools.sending.rows.say_goodbye(self._tools.sending.settings.instance)
        except TRANSIENT_ERRORS as error:
            log.info("gateway.no_goodbye", error=str(error) or type(error).__name__)
