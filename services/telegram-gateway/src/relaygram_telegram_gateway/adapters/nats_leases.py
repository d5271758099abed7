"""Leases of accounts in KV `account_leases`: whoever holds the key `<account>` runs the account.

The key dies by itself (Nats-TTL). It is renewed by a raw publish, because nats-py's `update()` would drop the TTL and
the lease would never end. Every write names the revision it replaces, so of two takers one fails.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from uuid import uuid4

import nats.errors
import orjson
import structlog
from nats.aio.client import Client
from nats.js.errors import APIError, NoStreamResponseError, NotFoundError

from relaygram_common.topology import ACCOUNT_LEASES, BUCKETS, CAMPAIGN_STATE
from relaygram_telegram_gateway.core.lease_clock import LeaseTerms

log = structlog.get_logger(__name__)

_STREAM = f"KV_{ACCOUNT_LEASES}"
_WRONG_LAST_SEQUENCE = (10071, 10164)
_REQUEST_SECONDS = 2.0
# How long the mark of a released lease stays.
_RELEASED_MARK_SECONDS = 1

LEASE_ERRORS: tuple[type[BaseException], ...] = (nats.errors.Error, OSError, TimeoutError, APIError)


def lease_clock() -> float:
    """Seconds on a clock that also runs while the machine sleeps, where there is one."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


@dataclass(frozen=True, slots=True)
class Seen:
    """What a look at a lease showed. `revision` 0: no trace of it."""

    revision: int
    holder: str | None
    hold: str | None
    expired: bool  # it died by itself a moment ago


class Lease:
    """A lease we hold, until its deadline."""

    def __init__(self, account_id: int, hold: str, revision: int, deadline: float) -> None:
        self.account_id = account_id
        self.hold = hold
        self.revision = revision
        self.deadline = deadline
        self.lost = False

    def is_valid(self) -> bool:
        """Whether we may still act for the account. Cheap: asked before every byte."""
        return not self.lost and lease_clock() < self.deadline


class LeaseStore:
    """Looks at, takes, renews and releases leases."""

    def __init__(
        self, client: Client, instance: str, terms: LeaseTerms, *, clock: Callable[[], float] = lease_clock
    ) -> None:
        self._client = client
        self._js = client.jetstream(timeout=_REQUEST_SECONDS)
        self._instance = instance
        self._clock = clock
        self.terms = terms

    async def look(self, account_id: int) -> Seen:
        """Who holds the account's lease."""
        try:
            message = await self._js.get_last_msg(_STREAM, _subject(account_id))
        except NotFoundError:
            return Seen(0, None, None, expired=False)
        headers = message.headers or {}
        if "Nats-Marker-Reason" in headers:
            return Seen(message.seq or 0, None, None, expired=True)
        if "KV-Operation" in headers or not message.data:
            return Seen(message.seq or 0, None, None, expired=False)
        value = orjson.loads(message.data)
        return Seen(message.seq or 0, str(value.get("instance")), str(value.get("hold")), expired=False)

    async def take(self, account_id: int, seen: Seen) -> Lease | None:
        """Take a lease that nobody was seen to hold; None when somebody was faster."""
        hold, before = str(uuid4()), self._clock()
        try:
            revision = await self._put(account_id, hold, seen.revision)
        except APIError as error:
            if error.err_code in _WRONG_LAST_SEQUENCE:
                return None
            raise
        return Lease(account_id, hold, revision, self.terms.deadline(before))

    async def renew(self, lease: Lease) -> bool:
        """Renew; False when the lease is another's. Raises one of LEASE_ERRORS when nobody can tell."""
        before = self._clock()
        try:
            lease.revision = await self._put(lease.account_id, lease.hold, lease.revision)
        except NoStreamResponseError:
            await self.restore_bucket()
            raise  # and comes again at once
        except APIError as error:
            if error.err_code not in _WRONG_LAST_SEQUENCE:
                raise
            # A renewal of ours whose answer was lost has moved the revision; or the lease is another's. No trace of
            # any lease before ours has run out: the bucket was lost, and in a new one nobody else takes it that soon.
            seen = await self.look(lease.account_id)
            if seen.hold != lease.hold and not (seen.revision == 0 and lease.is_valid()):
                lease.lost = True
                return False
            before = self._clock()
            lease.revision = await self._put(lease.account_id, lease.hold, seen.revision)
        lease.deadline = self.terms.deadline(before)
        return True

    async def release(self, lease: Lease) -> None:
        """Let go, so that another one need not wait for the end of the TTL."""
        lease.lost = True
        try:
            async with asyncio.timeout(_REQUEST_SECONDS):
                seen = await self.look(lease.account_id)  # a renewal may have been under way
                if seen.hold != lease.hold:
                    return
                headers = {
                    "KV-Operation": "PURGE",
                    "Nats-Rollup": "sub",
                    "Nats-TTL": str(_RELEASED_MARK_SECONDS),
                    "Nats-Expected-Last-Subject-Sequence": str(seen.revision),
                }
                await self._js.publish(_subject(lease.account_id), b"", headers=headers)
        except LEASE_ERRORS as error:
            log.info("lease.not_released", account_id=lease.account_id, error=str(error) or type(error).__name__)

    async def restore_bucket(self) -> None:
        """Somebody deleted it: made anew, with as many replicas as its sister has."""
        log.error("lease_bucket.lost", bucket=ACCOUNT_LEASES)
        sister = await self._js.stream_info(f"KV_{CAMPAIGN_STATE}")
        (config,) = [bucket for bucket in BUCKETS if bucket.name == _STREAM]
        await self._js.add_stream(config.evolve(num_replicas=sister.config.num_replicas or 1))

    async def bucket_age_seconds(self, now: float) -> float:
        """How long the bucket exists. `now` in seconds since 1970."""
        try:
            info = await self._js.stream_info(_STREAM)
        except NotFoundError:
            await self.restore_bucket()
            return 0.0
        created = info.created
        return now - created.timestamp() if created is not None else float("inf")

    async def _put(self, account_id: int, hold: str, last_revision: int) -> int:
        value = orjson.dumps({"instance": self._instance, "hold": hold})
        headers = {
            "Nats-Expected-Last-Subject-Sequence": str(last_revision),
            "Nats-TTL": str(self.terms.ttl_seconds),
        }
        acknowledgement = await self._js.publish(_subject(account_id), value, headers=headers)
        return int(acknowledgement.seq)


def _subject(account_id: int) -> str:
    return f"$KV.{ACCOUNT_LEASES}.{account_id}"
