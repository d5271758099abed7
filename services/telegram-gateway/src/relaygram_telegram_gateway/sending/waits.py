"""Tells why an account sends nothing now, and until when: silence looks like a hang."""

from relaygram_telegram_gateway.core.waits import Waiting, what_keeps
from relaygram_telegram_gateway.sending.allowance import Allowance
from relaygram_telegram_gateway.sending.giving_back import MAX_GIVEN_BACK_SECONDS
from relaygram_telegram_gateway.sending.resolver import Resolver
from relaygram_telegram_gateway.sending.wire import Wire
from relaygram_telegram_gateway.sending.work import Work

# A connection that comes back within so long is no news, nor is a wire that is idle for so long.
_IDLE_SECONDS = 3.0
# Who could not be looked for comes again within so long.
_PUT_OFF_SECONDS = 2 * MAX_GIVEN_BACK_SECONDS


class Waits:
    """The account's line in telegram.waits; written only when it changes."""

    def __init__(self, work: Work, wire: Wire, resolver: Resolver, allowance: Allowance) -> None:
        self._work = work
        self._wire = wire
        self._resolver = resolver
        self._allowance = allowance
        self._told: Waiting | None = None
        self._connected_at = work.now()

    async def load(self) -> None:
        """What an earlier owner told."""
        self._told = await self._work.tools.rows.wait_of(self._work.account.id)

    async def tell(self) -> None:
        """Once a second."""
        work, now = self._work, self._work.now()
        if work.link is not None:
            self._connected_at = now
        is_idle = now - self._wire.last_left_at > _IDLE_SECONDS
        finding = is_idle and now - self._resolver.put_off_at < _PUT_OFF_SECONDS
        reasons = [*self._wire.blocks.waits(finding=finding), *await self._allowance.waits()]
        keeps = what_keeps(reasons, is_connected=now - self._connected_at < _IDLE_SECONDS)
        if keeps != self._told:
            await work.tools.rows.tell_wait(work.account, work.term, keeps)
            self._told = keeps
