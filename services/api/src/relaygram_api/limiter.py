"""Rate limits that hold over all replicas: requests of a caller, failed log-ins an e-mail and an address."""

import asyncio
import random
import time
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from prometheus_client import Counter

from relaygram_api.adapters import pg_limits
from relaygram_api.adapters.pg_workspace import Database
from relaygram_api.core.rate_limit import Rate, Share, Verdict, spend
from relaygram_api.errors import too_many
from relaygram_common.security.sealing import Sealer

_KEPT = 10_000  # shares of callers not seen for longest are forgotten: what they held is refilled within seconds
_OPEN_TRIES_SECONDS = 10.0
_refused = Counter("relaygram_http_requests_limited_total", "Requests refused by a rate limit", ["surface"])


class _Holding:
    """A share, and the question for more of it that is under way."""

    def __init__(self) -> None:
        self.share = Share()
        self.asking: asyncio.Task[None] | None = None


class RateLimiter:
    """So many requests a caller and minute on one surface."""

    def __init__(self, database: Database, surface: str, rate: Rate) -> None:
        self.rate = rate
        self._database = database
        self._surface = surface
        self._limited = _refused.labels(surface)
        self._holdings: OrderedDict[int, _Holding] = OrderedDict()

    async def take(self, caller_id: int) -> Verdict:
        """One request of this caller: mostly answered from what this replica holds."""
        holding = self._holdings.get(caller_id)
        if holding is None:
            holding = self._holdings[caller_id] = _Holding()
            if len(self._holdings) > _KEPT:
                self._holdings.popitem(last=False)
        else:
            self._holdings.move_to_end(caller_id)
        while (verdict := spend(holding.share, now=time.monotonic(), rate=self.rate)) is None:
            # Requests that come at once wait for one answer, and for one time-out when there is none.
            if holding.asking is None:
                holding.asking = asyncio.create_task(self._ask(caller_id, holding), name="rate-limit")
            await asyncio.shield(holding.asking)
        if not verdict.allowed:
            self._limited.inc()
        return verdict

    async def _ask(self, caller_id: int, holding: _Holding) -> None:
        share = holding.share
        given_back, share.slice_left = share.slice_left, 0
        try:
            share.slice_left, share.bucket_left = await pg_limits.take_requests(
                self._database,
                self._surface,
                caller_id,
                self.rate,
                given_back=given_back,
            )
            share.as_of = time.monotonic()
        finally:
            holding.asking = None


class LoginLimiter:
    """So many failures a minute for each of e-mail and address; also when many try at once."""

    def __init__(self, database: Database, sealer: Sealer, per_minute: int) -> None:
        self._database = database
        self._sealer = sealer
        self._per_minute = per_minute

    @asynccontextmanager
    async def trying(self, email: str, address: str) -> AsyncIterator["Try"]:
        """A try counts as a failure unless it succeeded; raises the 429 when there were too many."""
        tries = await self._begin([self._hash("email", email.lower()), self._hash("address", address)])
        outcome = Try()
        try:
            yield outcome
        finally:
            await pg_limits.end_login(self._database, tries, has_failed=not outcome.has_succeeded)

    async def _begin(self, who: list[bytes]) -> list[int]:
        deadline = time.monotonic() + _OPEN_TRIES_SECONDS
        while True:
            tries, wait = await pg_limits.begin_login(self._database, who, self._per_minute)
            if tries is not None:
                return tries
            if wait > 0 or time.monotonic() > deadline:
                raise too_many("Too many failed log-ins.", -int(-wait // 1))
            await asyncio.sleep(0.02 + 0.06 * random.random())  # noqa: S311 - spreads those who wait

    def _hash(self, kind: str, text: str) -> bytes:
        return self._sealer.fingerprint(f"log-in {kind} {text}")


class Try:
    """One try to log in."""

    has_succeeded = False
