"""Requests a minute and token, in all replicas together."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from types import SimpleNamespace

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relaygram_api.core.rate_limit import Rate, Share, fetched_ahead, spend
from relaygram_api.limiter import RateLimiter
from relaygram_common import identity
from relaygram_local_stack.servers import NatsServer
from tests.api.support import Api, another_api, running_api
from tests.support.servers import Database


@pytest.fixture(scope="module")
async def limited(database: Database, provisioned_nats: NatsServer) -> AsyncIterator[Api]:
    async with running_api(database, provisioned_nats.url, rate_limit_per_minute=3) as running:
        yield running


async def test_a_token_may_burst_to_twice_its_rate_and_is_then_429(limited: Api) -> None:
    remaining = []
    for _ in range(6):
        answer = await limited.client.get("/api/v1/me")
        assert answer.status_code == 200
        assert answer.headers["X-RateLimit-Limit"] == "3"
        assert 0 < int(answer.headers["X-RateLimit-Reset"]) - time.time() <= 121
        remaining.append(int(answer.headers["X-RateLimit-Remaining"]))
    assert remaining == [5, 4, 3, 2, 1, 0]
    refused = await limited.client.get("/api/v1/nothing")
    assert refused.status_code == 429
    assert refused.json()["code"] == "too_many_requests"
    assert refused.headers["X-RateLimit-Remaining"] == "0"
    assert 1 <= int(refused.headers["Retry-After"]) <= 20


async def test_requests_in_succession_wait_for_the_bucket_only_once(
    limited: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relaygram_api.core.rate_limit._SLICE_SECONDS", 60.0)  # however slow the machine is
    limiter = RateLimiter(limited.parts.database, "campaign_api", Rate(600, burst=1200))
    await limiter.take(7)
    for _ in range(60):
        with pytest.raises(StopIteration):  # it ends at the first step
            limiter.take(7).send(None)
        await asyncio.gather(*(task for task in asyncio.all_tasks() if task.get_name() == "rate-limit"))
    left = await limited.sql("select requests_left from control.request_limits where caller_id = 7")
    assert left >= 1200 - 61 - 10


async def test_another_token_has_its_own_bucket(limited: Api) -> None:
    token = await identity.create_token(limited.database.dsn, limited.email, "other", ["*"])
    async with limited.bearing(token) as client:
        assert (await client.get("/api/v1/me")).status_code == 200


async def test_a_flood_of_refused_requests_costs_no_database(limited: Api) -> None:
    token = await identity.create_token(limited.database.dsn, limited.email, "flood", ["*"])
    async with limited.bearing(token) as client:
        while (await client.get("/api/v1/me")).status_code == 200:
            pass
        asked = "select as_of from control.request_limits where surface = 'campaign_api' and caller_id = $1"
        before = await limited.sql(asked, int(token.partition("|")[0]))
        for _ in range(20):
            assert (await client.get("/api/v1/me")).status_code == 429
        assert await limited.sql(asked, int(token.partition("|")[0])) == before


async def test_what_was_refused_passes_after_the_time_that_was_named(
    fresh_database: Callable[[], Database], provisioned_nats: NatsServer
) -> None:
    async with running_api(fresh_database(), provisioned_nats.url, rate_limit_per_minute=60) as quick:
        while (answer := await quick.client.get("/api/v1/me")).status_code == 200:
            pass
        await asyncio.sleep(int(answer.headers["Retry-After"]))
        assert (await quick.client.get("/api/v1/me")).status_code == 200


async def test_two_replicas_together_let_no_more_pass_than_one(
    fresh_database: Callable[[], Database], provisioned_nats: NatsServer
) -> None:
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(
            running_api(fresh_database(), provisioned_nats.url, rate_limit_per_minute=120)
        )
        second = await stack.enter_async_context(another_api(first, rate_limit_per_minute=120))
        began = time.monotonic()
        at_once = asyncio.Semaphore(30)  # more would wait for the database, not for the limit
        statuses = await asyncio.gather(
            *(ask(client, at_once) for client in (first.client, second) for _ in range(150)),
        )
        refill = (time.monotonic() - began) * 2
        passed = statuses.count(200)
        assert 240 - 10 <= passed <= 240 + refill
        assert statuses.count(429) == 300 - passed


async def ask(client: httpx.AsyncClient, at_once: asyncio.Semaphore) -> int:
    async with at_once:
        return (await client.get("/api/v1/me")).status_code


async def test_no_limit_and_no_headers_when_it_is_0(
    fresh_database: Callable[[], Database], provisioned_nats: NatsServer
) -> None:
    async with running_api(fresh_database(), provisioned_nats.url, rate_limit_per_minute=0) as free:
        for _ in range(5):
            answer = await free.client.get("/api/v1/me")
            assert answer.status_code == 200
            assert "X-RateLimit-Limit" not in answer.headers


# The bursts of the campaign API, and of the other surfaces.
RATES = st.builds(lambda rate, times: Rate(rate, burst=rate * times), st.integers(1, 300), st.integers(1, 2))


def take(
    bucket: SimpleNamespace, rate: Rate, *, now: float, given_back: int, most: int | None = None
) -> tuple[int, float]:
    """What control.take_requests does."""
    refilled = bucket.left + given_back + (now - bucket.as_of) * rate.per_minute / 60
    bucket.left, bucket.as_of = min(float(rate.burst), refilled), now
    granted = int(min(rate.slice_size if most is None else most, bucket.left))
    bucket.left -= granted
    return granted, bucket.left


def fetch_ahead(bucket: SimpleNamespace, share: Share, rate: Rate, now: float) -> None:
    """What a replica does after a request."""
    if most := fetched_ahead(share, rate.slice_size):
        granted, share.bucket_left = take(bucket, rate, now=now, given_back=0, most=most)
        share.slice_left, share.as_of = share.slice_left + granted, now
        assert share.slice_left <= rate.slice_size


@given(
    rate=RATES,
    asked=st.lists(st.tuples(st.integers(0, 2), st.sampled_from([0.0, 0.001, 0.2, 1.5, 30.0])), max_size=400),
)
def test_replicas_never_let_more_pass_than_the_bucket_and_its_refill(
    rate: Rate, asked: list[tuple[int, float]]
) -> None:
    bucket = SimpleNamespace(left=float(rate.burst), as_of=0.0)
    shares = [Share(), Share(), Share()]
    now, passed = 0.0, 0
    for replica, pause in asked:
        now += pause
        share = shares[replica]
        while (verdict := spend(share, now=now, rate=rate)) is None:
            now += 1e-6  # asking takes time; without, a bucket short of a request by a rounding error is asked for ever
            given_back, share.slice_left = share.slice_left, 0
            share.slice_left, share.bucket_left = take(bucket, rate, now=now, given_back=given_back)
            share.as_of = now
        passed += verdict.allowed
        fetch_ahead(bucket, share, rate, now)
        assert passed <= rate.burst + now * rate.per_minute / 60 + 1e-6
        if not verdict.allowed:
            assert 1 <= verdict.retry_after_seconds <= -(-60 // rate.per_minute)
            assert verdict.remaining == 0
        assert 0 <= verdict.remaining < rate.burst


@given(rate=RATES, asked=st.binary(min_size=1000, max_size=1000))
def test_only_what_other_replicas_hold_is_missing_from_the_burst(rate: Rate, asked: bytes) -> None:
    bucket = SimpleNamespace(left=float(rate.burst), as_of=0.0)
    shares = [Share(), Share(), Share()]
    passed = 0
    for byte in asked:
        share = shares[byte % 3]
        while (verdict := spend(share, now=0.0, rate=rate)) is None:
            share.slice_left, share.bucket_left = take(bucket, rate, now=0.0, given_back=0)
            share.as_of = 0.0
        passed += verdict.allowed
        fetch_ahead(bucket, share, rate, 0.0)
        held = sum(other.slice_left for other in shares)
        assert held <= 3 * rate.slice_size
        assert passed + held + bucket.left == rate.burst
        assert verdict.allowed or bucket.left < 1


def test_a_slice_is_small_beside_its_burst() -> None:
    assert [Rate(rate, burst=2 * rate).slice_size for rate in (1, 3, 60, 120, 60_000, 1_000_000)] == [
        1,
        1,
        6,
        10,
        10,
        166,
    ]
