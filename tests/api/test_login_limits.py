"""Failed log-ins: so many a minute for an e-mail, and for an address, in all replicas together."""

import asyncio
import time
from collections.abc import AsyncIterator

import asyncpg
import httpx
import pytest

from relaygram_api.adapters import pg_limits
from relaygram_local_stack.servers import NatsServer
from tests.api.served import served_api
from tests.api.support import Api, another_api, running_api
from tests.support.servers import Database


@pytest.fixture(scope="module")
async def strict(database: Database, provisioned_nats: NatsServer) -> AsyncIterator[Api]:
    async with running_api(database, provisioned_nats.url, login_failures_per_minute=5) as running:
        yield running


@pytest.fixture(autouse=True)
async def nobody_has_tried(strict: Api) -> None:
    await strict.sql("truncate control.login_tries")


def from_address(api: Api, address: str) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(api.transport.app, client=(address, 1))
    return httpx.AsyncClient(transport=transport, base_url="http://api")


async def log_in(client: httpx.AsyncClient, email: str, password: str | None = None) -> httpx.Response:
    return await client.post(
        "/api/v1/login", json={"email": email, "password": password or "wrong", "device_name": "x"}
    )


async def test_five_failures_of_an_e_mail_refuse_it_from_every_address(strict: Api) -> None:
    began = time.monotonic()
    for number in range(5):
        async with from_address(strict, f"10.0.0.{number}") as client:
            assert (await log_in(client, "guessed@example.com")).status_code == 401
    async with from_address(strict, "10.0.0.9") as client:
        refused = await log_in(client, "Guessed@example.com")
        assert refused.status_code == 429
        # A minute after the first one: hashing a password takes its time.
        assert 59 - (time.monotonic() - began) <= int(refused.headers["Retry-After"]) <= 60
        assert (await log_in(client, strict.email, strict.password)).status_code == 200


async def test_five_failures_of_an_address_refuse_it_for_every_e_mail(strict: Api) -> None:
    async with from_address(strict, "10.0.0.1") as client:
        for number in range(5):
            assert (await log_in(client, f"{number}@example.com")).status_code == 401
        assert (await log_in(client, strict.email, strict.password)).status_code == 429
    async with from_address(strict, "10.0.0.2") as client:
        assert (await log_in(client, strict.email, strict.password)).status_code == 200


async def test_they_count_in_all_replicas_together(strict: Api) -> None:
    async with another_api(strict, login_failures_per_minute=5) as other:
        statuses = [(await log_in(client, "a@example.com")).status_code for client in (strict.client, other) * 3]
    assert statuses == [401] * 5 + [429]


async def test_of_ten_wrong_ones_at_once_five_are_looked_at(strict: Api) -> None:
    async with another_api(strict, login_failures_per_minute=5) as other:
        answers = await asyncio.gather(*(log_in(client, "a@example.com") for client in (strict.client, other) * 5))
    assert sorted(answer.status_code for answer in answers) == [401] * 5 + [429] * 5


async def test_ten_right_ones_at_once_all_pass(strict: Api) -> None:
    answers = await asyncio.gather(*(log_in(strict.client, strict.email, strict.password) for _ in range(10)))
    assert [answer.status_code for answer in answers] == [200] * 10
    assert await strict.sql("select count(*) from control.login_tries") == 0


async def test_failures_count_for_a_minute_and_are_then_removed(strict: Api) -> None:
    for _ in range(5):
        await log_in(strict.client, "a@example.com")
    await strict.sql("update control.login_tries set tried_at = now() - interval '30 s'")
    refused = await log_in(strict.client, "a@example.com")
    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) <= 30
    await strict.sql("update control.login_tries set tried_at = now() - interval '61 s'")
    assert (await log_in(strict.client, "a@example.com")).status_code == 401
    assert await pg_limits.prune(strict.parts.database, 1000) == 10
    assert await strict.sql("select count(*) from control.login_tries") == 2


async def test_nobody_reads_who_tried(strict: Api) -> None:
    await log_in(strict.client, "jane@example.com")
    for who in await strict.sql("select array_agg(who) from control.login_tries"):
        assert len(who) == 16
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await strict.sql("select who from control.login_tries", role="relaygram_api")


@pytest.mark.parametrize(("trusted", "second"), [("127.0.0.1", 401), ("", 429)])
async def test_only_a_trusted_proxy_says_who_called(
    database: Database, provisioned_nats: NatsServer, trusted: str, second: int
) -> None:
    settings = {"RELAYGRAM_TRUSTED_PROXIES": trusted, "RELAYGRAM_LOGIN_FAILURES_PER_MINUTE": "1"}
    async with (
        served_api(database, provisioned_nats.url, **settings) as served,
        httpx.AsyncClient(base_url=served.url) as client,
    ):
        statuses = []
        for number in range(2):
            client.headers["X-Forwarded-For"] = f"10.0.0.{number}"
            statuses.append((await log_in(client, f"{number}@example.com")).status_code)
    assert statuses == [401, second]
