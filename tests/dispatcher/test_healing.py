"""Whatever gets lost on the way costs only time."""

import asyncio

from relaygram_common.topology import SEND_JOBS, provision
from relaygram_local_stack.servers import NatsServer
from tests.dispatcher.line import Outside, gateway
from tests.support.waiting import run_in_thread


async def test_jobs_that_vanished_are_made_again(line: Outside) -> None:
    campaign_id = await line.campaign(300)
    await line.expanded(campaign_id, 300)
    await line.client.jetstream().purge_stream(SEND_JOBS, subject=f"send.job.{line.account_id}.{campaign_id}")
    async with gateway(line, campaign_id):
        await line.completes(campaign_id, 300)


async def test_outcomes_that_vanished_are_asked_for_again(line: Outside) -> None:
    campaign_id = await line.campaign(300)
    async with gateway(line, campaign_id, forgets=120) as telegram:
        await line.completes(campaign_id, 300)
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
        await line.completes(campaign_id, 1500)


async def test_nats_goes_away_and_comes_back(line: Outside, provisioned_nats: NatsServer) -> None:
    campaign_id = await line.campaign(2500)
    async with gateway(line, campaign_id) as telegram:
        for enough in (1, 1200):
            await telegram.has_seen(enough)
            provisioned_nats.kill()
            await asyncio.sleep(0.3)
            provisioned_nats.start()
        await line.completes(campaign_id, 2500)
