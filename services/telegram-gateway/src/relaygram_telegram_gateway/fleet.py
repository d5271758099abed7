"""Which accounts this gateway runs: its fair share of those that need an owner, each under a lease."""

import asyncio
import functools
import random
import time
from collections.abc import Callable, Coroutine
from typing import Any

import structlog

from relaygram_common.backoff import backoff_seconds
from relaygram_common.database.pool import TRANSIENT_ERRORS
from relaygram_common.tasks import cancel_and_wait, set_or_timeout
from relaygram_telegram_gateway.account_runner import AccountRunner, RunnerTools
from relaygram_telegram_gateway.adapters.nats_leases import LEASE_ERRORS, Lease, Seen
from relaygram_telegram_gateway.adapters.nats_presence import Presence
from relaygram_telegram_gateway.adapters.pg_accounts import AccountRow
from relaygram_telegram_gateway.core.lease_clock import wait_before_connecting
from relaygram_telegram_gateway.core.sharing import to_let_go, to_take
from relaygram_telegram_gateway.metrics import HANDED_ON, LEASES

log = structlog.get_logger(__name__)

_LOOKS_AT_ONCE = 50
_MAX_LOOKS = 200
# Beyond its share a gateway takes an account only when nobody else did for so long.
_UNSHARED_SECONDS = 2.5
# Accounts move only when their spread has been uneven for so long: what others say is a second old at times.
_UNEVEN_SECONDS = 2.0
# For the messages of an account that is handed on to be answered.
_HAND_ON_SECONDS = 10.0
# A gateway that could not look after its accounts for so long is not counted on.
_WELL_SECONDS = 5.0
_ALIVE_SECONDS = 3.0  # the api takes a gateway that was silent for 10 s for gone
_TRANSIENT: tuple[type[BaseException], ...] = (*TRANSIENT_ERRORS, *LEASE_ERRORS)


class Fleet:
    """The accounts of this gateway."""

    def __init__(
        self, tools: RunnerTools, presence: Presence, *, ring: Callable[[int], Coroutine[Any, Any, None]]
    ) -> None:
        self._tools = tools
        self._presence = presence
        self._ring = ring
        self._runners: dict[int, AccountRunner] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._held_elsewhere: set[int] = set()
        self._free_since: dict[int, float] = {}
        self._look_now = asyncio.Event()
        self._looks = asyncio.Semaphore(_LOOKS_AT_ONCE)
        self._handing_on: dict[int, asyncio.Task[None]] = {}
        self._uneven_since: float | None = None
        self._closing = False
        self._well_at = asyncio.get_running_loop().time()
        self._said_alive = float("-inf")

    def accounts(self) -> list[int]:
        """Accounts that we run."""
        return list(self._runners)

    @property
    def load(self) -> int | None:
        """How many accounts we run; None while we can not look after any."""
        if asyncio.get_running_loop().time() - self._well_at > _WELL_SECONDS:
            return None
        return len(self._runners.keys() - self._handing_on.keys())

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
            await set_or_timeout(self._look_now, pause)

    async def _look_after(self) -> None:
        await self._say_alive()
        wanted = {account.id: account for account in await self._tools.sending.rows.wanted()}
        for account_id, runner in list(self._runners.items()):
            if account_id in wanted:
                runner.update(wanted[account_id])
            elif account_id not in self._handing_on:
                await self._stop(account_id, within_seconds=1.0)
        others = [account for account in wanted.values() if account.id not in self._runners]
        if not self._closing:
            await self._take_free(others)
            self._hand_on()
        LEASES.set(len(self._runners))
        self._well_at = asyncio.get_running_loop().time()

    async def _take_free(self, others: list[AccountRow]) -> None:
        random.shuffle(others)
        looked = await asyncio.gather(*(self._look(account) for account in others[:_MAX_LOOKS]))
        now = asyncio.get_running_loop().time()
        free = [(account, seen) for account, seen in looked if self._is_free(account, seen, now)]
        ours = to_take(self._presence.loads(), self._tools.sending.settings.instance, len(free))
        # Those first that nobody has wanted for longest.
        free.sort(key=lambda one: self._free_since[one[0].id])
        chosen = free[:ours] + [one for one in free[ours:] if now - self._free_since[one[0].id] >= _UNSHARED_SECONDS]
        if chosen:
            age = await self._tools.leases.bucket_age_seconds(time.time())
            await asyncio.gather(*(self._take_one(account, seen, age) for account, seen in chosen))
            await self._presence.say()

    def _is_free(self, account: AccountRow, seen: Seen, now: float) -> bool:
        if seen.holder is not None:
            self._held_elsewhere.add(account.id)
            self._free_since.pop(account.id, None)
            return False
        self._free_since.setdefault(account.id, now)
        return True

    def _hand_on(self) -> None:
        """Let go of what others have too little of; idle accounts first."""
        now = asyncio.get_running_loop().time()
        surplus = to_let_go(self._presence.loads(), self._tools.sending.settings.instance)
        if not surplus or self._handing_on:
            self._uneven_since = None
            return
        self._uneven_since = now if self._uneven_since is None else self._uneven_since
        if now - self._uneven_since < _UNEVEN_SECONDS:
            return
        self._uneven_since = None
        for account_id in sorted(self._runners, key=lambda account_id: self._runners[account_id].busy)[:surplus]:
            task = asyncio.create_task(self._hand_on_one(account_id), name=f"hand-on-{account_id}")
            self._handing_on[account_id] = task
            task.add_done_callback(functools.partial(self._handed_on, account_id))

    async def _hand_on_one(self, account_id: int) -> None:
        await self._stop(account_id, within_seconds=_HAND_ON_SECONDS)
        HANDED_ON.inc()
        await self._presence.say()
        await self._ring(account_id)

    def _handed_on(self, account_id: int, task: "asyncio.Task[None]") -> None:
        del self._handing_on[account_id]
        if not task.cancelled() and (error := task.exception()) is not None:
            log.warning("account.not_handed_on", account_id=account_id, error=str(error) or type(error).__name__)

    async def _say_alive(self) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._said_alive >= _ALIVE_SECONDS:
            await self._tools.sending.rows.say_alive(self._tools.sending.settings.instance)
            self._said_alive = now

    async def _look(self, account: AccountRow) -> tuple[AccountRow, Seen]:
        async with self._looks:
            return account, await self._tools.leases.look(account.id)

    async def _take_one(self, account: AccountRow, seen: Seen, bucket_age: float) -> None:
        async with self._looks:
            lease = await self._take(account, seen, bucket_age)
        if lease is None:
            return
        expired = seen.expired or (account.id in self._held_elsewhere and seen.revision == 0)
        self._held_elsewhere.discard(account.id)
        self._free_since.pop(account.id, None)
        self._begin(account, lease, expired=expired)

    async def _take(self, account: AccountRow, seen: Seen, bucket_age: float) -> Lease | None:
        if not await self._bucket_is_trusted(account, bucket_age):
            return None
        lease = await self._tools.leases.take(account.id, seen)
        if lease is not None and self._closing:
            await self._tools.leases.release(lease)
            return None
        return lease

    async def _bucket_is_trusted(self, account: AccountRow, age: float) -> bool:
        """After the bucket was lost a free key proves nothing until every old lease has run out."""
        terms = self._tools.leases.terms
        if age > terms.ttl_seconds + terms.margin_seconds:
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
        await asyncio.gather(*self._handing_on.values(), return_exceptions=True)
        await asyncio.gather(
            *(self._stop(account_id, within_seconds=within_seconds) for account_id in list(self._runners))
        )
        try:
            await self._tools.sending.rows.say_goodbye(self._tools.sending.settings.instance)
        except TRANSIENT_ERRORS as error:
            log.info("gateway.no_goodbye", error=str(error) or type(error).__name__)
