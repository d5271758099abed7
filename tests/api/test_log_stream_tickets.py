"""Tickets: a browser opens one stream with one, once and soon, as the token that made it; no log line shows them."""

import asyncio
import hashlib
import tempfile
from collections.abc import AsyncIterator, Callable
from typing import Any

import asyncpg
import httpx
import pytest

from relaygram_api.adapters import pg_tickets
from relaygram_api.settings import ApiSettings
from relaygram_common import identity
from relaygram_local_stack.servers import NatsServer
from tests.api.served import Process, environment, is_ready, start
from tests.api.streams import Log, calling, make_campaign, opened
from tests.api.support import Api, another_api, running_api
from tests.support.servers import Database
from tests.support.waiting import eventually

PAGE = "https://dashboard.example.com"


@pytest.fixture(scope="module")
async def api(database: Database, provisioned_nats: NatsServer) -> AsyncIterator[Api]:
    """Here a stream ends after a moment: what it is opened with is the question."""
    async with running_api(
        database, provisioned_nats.url, stream_max_seconds=0.2, cors_origins=f"{PAGE}, http://localhost:3000"
    ) as running:
        yield running


@pytest.fixture(scope="module")
async def campaign_id(api: Api) -> int:
    made: int = (await api.campaign())["id"]
    return made


async def ticket_for(api: Api, campaign_id: int, client: httpx.AsyncClient | None = None) -> str:
    answer = await (client or api.client).post(f"/api/v1/campaigns/{campaign_id}/logs/stream-ticket")
    assert answer.status_code == 201, answer.text
    ticket: str = answer.json()["data"]["ticket"]
    return ticket


async def status_with(api: Api, campaign_id: int, ticket: str, **headers: str) -> int:
    async with api.bearing(None) as browser:
        path = f"/api/v1/campaigns/{campaign_id}/logs/stream"
        return (await browser.get(path, params={"ticket": ticket}, headers=headers)).status_code


async def test_it_opens_one_stream_of_its_campaign(api: Api, campaign_id: int) -> None:
    ticket = await ticket_for(api, campaign_id)
    another: int = (await api.campaign())["id"]
    assert await status_with(api, another, ticket) == 401
    assert await status_with(api, campaign_id, ticket) == 200
    assert await status_with(api, campaign_id, ticket) == 401


async def test_of_many_who_come_with_it_at_once_one_gets_in(api: Api, campaign_id: int) -> None:
    ticket = await ticket_for(api, campaign_id)
    async with another_api(api, stream_max_seconds=0.2) as replica, api.bearing(None) as browser:
        del replica.headers["Authorization"]
        path = f"/api/v1/campaigns/{campaign_id}/logs/stream?ticket={ticket}"
        answers = await asyncio.gather(*(one.get(path) for one in (replica, browser) * 10))
    assert sorted(answer.status_code for answer in answers) == [200] + [401] * 19


async def test_it_ends_by_itself_and_is_removed(api: Api, campaign_id: int) -> None:
    ticket = await ticket_for(api, campaign_id)
    late = "update control.stream_tickets set expires_at = expires_at - interval '60 s' where secret_hash = $1"
    await api.sql(late, hashlib.sha256(ticket.encode()).digest())
    assert await status_with(api, campaign_id, ticket) == 401
    assert await pg_tickets.prune(api.parts.database, 100) == 1
    assert await api.sql("select count(*) from control.stream_tickets where expires_at < now()") == 0


async def test_only_its_hash_is_kept(api: Api, campaign_id: int) -> None:
    ticket = await ticket_for(api, campaign_id)
    kept = await api.sql("select string_agg(t::text, ' ') from control.stream_tickets t")
    assert hashlib.sha256(ticket.encode()).hexdigest() in kept
    assert ticket not in kept


async def test_it_is_worth_what_its_token_is_worth(api: Api, campaign_id: int) -> None:
    token = await api.token_with("logs:read")
    async with api.bearing(token) as other:
        first, second = [await ticket_for(api, campaign_id, other) for _ in range(2)]
    assert await status_with(api, campaign_id, first) == 200
    await api.call("DELETE", f"/tokens/{token.partition('|')[0]}", status=204)
    assert await status_with(api, campaign_id, second) == 401


async def test_it_opens_nothing_else_and_helps_no_bad_token(api: Api, campaign_id: int) -> None:
    ticket = await ticket_for(api, campaign_id)
    async with api.bearing(None) as browser:
        for path in (f"/campaigns/{campaign_id}/logs", f"/campaigns/{campaign_id}", "/me"):
            assert (await browser.get(f"/api/v1{path}?ticket={ticket}")).status_code == 401
        made = await browser.post(f"/api/v1/campaigns/{campaign_id}/logs/stream-ticket?ticket={ticket}")
        assert made.status_code == 401
    assert await status_with(api, campaign_id, ticket, Authorization="Bearer 1|x") == 401
    for wrong in ("", "x", "a" * 43, ticket + "a", ticket[:-1] + "é"):
        assert await status_with(api, campaign_id, wrong) == 401
    assert await status_with(api, campaign_id, ticket) == 200


async def test_another_workspace_makes_none(api: Api, campaign_id: int) -> None:
    await identity.bootstrap(api.database.dsn, workspace="second", email="other@example.com")
    stranger = await identity.create_token(api.database.dsn, "other@example.com", "t", ["*"])
    async with api.bearing(stranger) as other:
        refused = await other.post(f"/api/v1/campaigns/{campaign_id}/logs/stream-ticket")
    assert refused.status_code == 404


async def test_pages_of_named_origins_may_read_the_stream(api: Api, campaign_id: int) -> None:
    for origin, allowed in (
        (PAGE, PAGE),
        ("http://localhost:3000", "http://localhost:3000"),
        ("https://evil.example", None),
    ):
        ticket = await ticket_for(api, campaign_id)
        async with api.bearing(None) as browser:
            path = f"/api/v1/campaigns/{campaign_id}/logs/stream?ticket={ticket}"
            answer = await browser.get(path, headers={"Origin": origin})
        assert answer.headers.get("Access-Control-Allow-Origin") == allowed
        assert "Origin" in answer.headers["Vary"]


def test_no_origin_is_named_by_default_and_wrong_ones_are_told() -> None:
    def settings(origins: str) -> ApiSettings:
        return ApiSettings(postgres_dsn="x", cors_origins=origins)

    assert ApiSettings.model_fields["cors_origins"].default == ""
    for wrong in ("*", "dashboard.example.com", "https://dashboard.example.com/", "ftp://x"):
        with pytest.raises(ValueError, match="is no origin"):
            settings(wrong)


async def test_it_is_in_no_line_of_the_log(
    database: Database, provisioned_nats: NatsServer, api: Api, free_port: Callable[[], int]
) -> None:
    port, health_port = free_port(), free_port()
    told = {**environment(database, provisioned_nats.url, port, health_port), "RELAYGRAM_LOG_LEVEL": "DEBUG"}
    with tempfile.TemporaryFile() as lines:
        running = start(told, errors=lines)
        try:
            await eventually(lambda: is_ready(health_port), 60)
            process = Process(port, health_port, api.token, "", running.pid)
            async with calling(process) as client:
                log = Log(database, api.workspace_id, await make_campaign(client))
                ticket = await _use(client, log)
                refused = await client.get(
                    "/campaigns/1/logs/stream", params={"ticket": ticket}, headers={"Authorization": ""}
                )
                assert refused.status_code == 401
                await _without_database(database, client, log, ticket)
        finally:
            running.terminate()
            await asyncio.to_thread(running.wait, timeout=15)
        lines.seek(0)
        text = lines.read().decode()
    assert "stream.ended" in text
    assert "request.unavailable" in text
    assert ticket not in text
    assert "ticket=" not in text


async def _use(client: httpx.AsyncClient, log: Log) -> str:
    made = await client.post(f"/campaigns/{log.campaign_id}/logs/stream-ticket")
    ticket: str = made.raise_for_status().json()["data"]["ticket"]
    async with opened(client, log.campaign_id, params={"ticket": ticket}, headers={"Authorization": ""}) as stream:
        await log.write("one")
        assert await stream.bodies(1) == ["one"]
    return ticket


async def _without_database(database: Database, client: httpx.AsyncClient, log: Log, ticket: str) -> None:
    """Ask while no connection can be had, so that the request is logged."""
    server: Any = await asyncpg.connect(database.server.dsn("postgres", "postgres"))
    try:
        await server.execute(f'alter database "{database.name}" allow_connections false')
        await server.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = $1", database.name)
        answer = await client.get(
            f"/campaigns/{log.campaign_id}/logs/stream", params={"ticket": ticket}, headers={"Authorization": ""}
        )
        assert answer.status_code == 503, answer.text
    finally:
        await server.execute(f'alter database "{database.name}" allow_connections true')
        await server.close()
