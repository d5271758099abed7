"""Requests a minute and token."""

from collections.abc import AsyncIterator

import pytest

from relaygram_local_stack.servers import NatsServer
from tests.api.support import Api, running_api
from tests.support.servers import Database


@pytest.fixture(scope="module")
async def limited(database: Database, provisioned_nats: NatsServer) -> AsyncIterator[Api]:
    async with running_api(
        database, provisioned_nats.url, rate_limit_per_minute=3, login_failures_per_minute=5
    ) as running:
        yield running


async def test_a_token_may_burst_to_twice_its_rate_and_is_then_429(limited: Api) -> None:
    remaining = []
    for _ in range(6):
        answer = await limited.client.get("/api/v1/me")
        assert answer.status_code == 200
        assert answer.headers["X-RateLimit-Limit"] == "3"
        assert int(answer.headers["X-RateLimit-Reset"]) > 0
        remaining.append(int(answer.headers["X-RateLimit-Remaining"]))
    assert remaining == [5, 4, 3, 2, 1, 0]
    refused = await limited.client.get("/api/v1/nothing")
    assert refused.status_code == 429
    assert refused.headers["X-RateLimit-Remaining"] == "0"
    assert 1 <= int(refused.headers["Retry-After"]) <= 20


async def test_another_token_has_its_own_bucket(limited: Api) -> None:
    from relaygram_common import identity

    token = await identity.create_token(limited.database.dsn, limited.email, "other", ["*"])
    async with limited.bearing(token) as client:
        assert (await client.get("/api/v1/me")).status_code == 200


async def test_login_failures_are_limited_by_e_mail_and_address(limited: Api) -> None:
    wrong = {"email": "guessed@example.com", "password": "wrong", "device_name": "x"}
    for _ in range(5):
        assert (await limited.client.post("/api/v1/login", json=wrong)).status_code == 401
    refused = await limited.client.post("/api/v1/login", json=wrong)
    assert refused.status_code == 429
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    right = {"email": limited.email, "password": "x", "device_name": "x"}
    assert (await limited.client.post("/api/v1/login", json=right)).status_code == 429
