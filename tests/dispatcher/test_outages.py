"""Outages of PostgreSQL, and streams lost before anybody read them: without a second log-writer beside."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from relaygram_common.database import migrate
from relaygram_common.topology import DELIVERY_EVENTS, SEND_JOBS, provision
from relaygram_local_stack.servers import NatsServer, Postgres
from tests.dispatcher.line import Outside, dispatcher, gateway, log_writer, outside
from tests.support.servers import Database
from tests.support.waiting import run_in_thread

_STEPS: list[list[dict[str, Any]]] = [[], [{"body": "One"}, {"body": "Two"}]]


@pytest.mark.parametrize("steps", _STEPS)
async def test_events_lost_before_they_were_logged(
    provisioned_nats: NatsServer, database: Database, steps: list[dict[str, Any]]
) -> None:
    async with (
        outside(provisioned_nats.url, database.dsn) as around,
        dispatcher(provisioned_nats.url, database.dispatcher, page_size=100),
    ):
        campaign_id = await around.campaign(250, steps=steps)
        await around.expanded(campaign_id, 250)
        js = around.client.jetstream()
        await js.delete_stream(DELIVERY_EVENTS)
        await js.purge_stream(SEND_JOBS, subject=f"send.job.{around.account_id}.{campaign_id}")
        await asyncio.to_thread(run_in_thread, provision(provisioned_nats.url))
        async with log_writer(provisioned_nats.url, database.log_writer), gateway(around, campaign_id, refuse_every=0):
            await around.completes(campaign_id, 250 * max(1, len(steps)))


@pytest.fixture
async def mortal(
    tmp_path_factory: pytest.TempPathFactory, provisioned_nats: NatsServer
) -> AsyncIterator[tuple[Postgres, Outside]]:
    """A line on a PostgreSQL that may be killed."""
    with Postgres(tmp_path_factory.mktemp("postgres")) as server:
        server.ensure_database("relaygram")
        await asyncio.to_thread(migrate.upgrade, server.dsn("relaygram"))
        async with (
            outside(provisioned_nats.url, server.dsn("relaygram")) as around,
            log_writer(provisioned_nats.url, server.dsn("relaygram", "relaygram_log_writer")),
            dispatcher(provisioned_nats.url, server.dsn("relaygram", "relaygram_dispatcher"), page_size=50),
        ):
            yield server, around


@pytest.mark.parametrize("steps", _STEPS)
async def test_postgres_goes_away_and_comes_back(mortal: tuple[Postgres, Outside], steps: list[dict[str, Any]]) -> None:
    server, around = mortal
    people = 2000 // max(1, len(steps))
    campaign_id = await around.campaign(people, steps=steps)
    async with gateway(around, campaign_id, refuse_every=0) as telegram:
        for enough in (1, 800):
            await telegram.has_seen(enough)
            server.kill()
            await asyncio.sleep(0.3)
            server.start()
        await around.pool.expire_connections()
        await around.completes(campaign_id, 2000)
