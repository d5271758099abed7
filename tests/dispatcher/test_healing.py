"""Whatever gets lost on the way costs only time."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from relaygram_common.database import migrate
from relaygram_common.topology import DELIVERY_EVENTS, SEND_JOBS, provision
from relaygram_local_stack.servers import NatsServer, Postgres
from tests.dispatcher.line import Outside, dispatcher, gateway, log_writer, outside
from tests.support.servers import Database
from tests.support.waiting import run_in_thread


async def _complete(line: Outside, campaign_id: int, contacts: int) -> None:
    await line.becomes(campaign_id, "completed", timeout=25.0)
    pending, sent, failed = await line.counters(campaign_id)
    assert (pending, sent + failed) == (0, contacts)
    run = await line.run(campaign_id)
    assert run["jobs_made"] == contacts
    assert len(await line.rows(campaign_id)) == contacts


async def test_jobs_that_vanished_are_made_again(line: Outside) -> None:
    campaign_id = await line.campaign(300)
    await line.expanded(campaign_id, 300)
    await line.client.jetstream().purge_stream(SEND_JOBS, subject=f"send.job.{line.account_id}.{campaign_id}")
    async with gateway(line, campaign_id):
        await _complete(line, campaign_id, 300)


async def test_outcomes_that_vanished_are_asked_for_again(line: Outside) -> None:
    campaign_id = await line.campaign(300)
    async with gateway(line, campaign_id, forgets=120) as telegram:
        await _complete(line, campaign_id, 300)
    assert len(telegram.seen) > 300  # admission would know them
    assert len({job.job_id for job in telegram.seen}) == 300


async def test_nothing_is_made_again_while_it_waits_in_its_queue(line: Outside) -> None:
    campaign_id = await line.campaign(40)
    await line.expanded(campaign_id, 40)
    await asyncio.sleep(1.0)  # beyond reconcile_after_seconds, with nobody consuming
    assert await line.waiting(campaign_id) == 40


async def test_a_jobs_stream_lost_and_made_anew(line: Outside, provisioned_nats: NatsServer) -> None:
    campaign_id = await line.campaign(1500)
    await line.expanded(campaign_id, 1000)
    await line.client.jetstream().delete_stream(SEND_JOBS)
    await asyncio.sleep(0.3)  # a few looks that find no stream
    await asyncio.to_thread(run_in_thread, provision(provisioned_nats.url))
    async with gateway(line, campaign_id):
        await _complete(line, campaign_id, 1500)


async def test_events_lost_before_they_were_logged(provisioned_nats: NatsServer, database: Database) -> None:
    async with (
        outside(provisioned_nats.url, database.dsn) as around,
        dispatcher(provisioned_nats.url, database.dispatcher, page_size=100),
    ):
        campaign_id = await around.campaign(250)
        await around.expanded(campaign_id, 250)
        js = around.client.jetstream()
        await js.delete_stream(DELIVERY_EVENTS)
        await js.purge_stream(SEND_JOBS, subject=f"send.job.{around.account_id}.{campaign_id}")
        await asyncio.to_thread(run_in_thread, provision(provisioned_nats.url))
        async with log_writer(provisioned_nats.url, database.log_writer), gateway(around, campaign_id):
            await _complete(around, campaign_id, 250)


async def test_nats_goes_away_and_comes_back(line: Outside, provisioned_nats: NatsServer) -> None:
    campaign_id = await line.campaign(2500)
    async with gateway(line, campaign_id) as telegram:
        for enough in (1, 1200):
            await telegram.has_seen(enough)
            provisioned_nats.kill()
            await asyncio.sleep(0.3)
            provisioned_nats.start()
        await _complete(line, campaign_id, 2500)


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


async def test_postgres_goes_away_and_comes_back(mortal: tuple[Postgres, Outside]) -> None:
    server, around = mortal
    campaign_id = await around.campaign(2000)
    async with gateway(around, campaign_id) as telegram:
        for enough in (1, 800):
            await telegram.has_seen(enough)
            server.kill()
            await asyncio.sleep(0.3)
            server.start()
        await around.pool.expire_connections()
        await _complete(around, campaign_id, 2000)
