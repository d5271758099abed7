"""A broadcast from start to completion, through the real servers."""

import asyncio
from contextlib import AsyncExitStack

from relaygram_common.contracts.ids import job_id
from relaygram_common.contracts.jobs import SendJob
from relaygram_common.topology import SEND_JOBS
from relaygram_local_stack.servers import NatsServer
from tests.dispatcher.line import Outside, dispatcher, gateway
from tests.support.servers import Database
from tests.support.waiting import eventually


async def test_a_broadcast_runs_to_its_end(line: Outside) -> None:
    campaign_id = await line.campaign(1234)
    async with gateway(line, campaign_id) as telegram:
        await line.becomes(campaign_id, "completed")
    assert len({job.job_id for job in telegram.seen}) == len(telegram.seen) == 1234
    pending, sent, failed = await line.counters(campaign_id)
    assert (pending, sent + failed) == (0, 1234)
    assert failed > 100
    run = await line.run(campaign_id)
    assert run["jobs_made"] == 1234
    assert run["finished_at"] is not None


async def test_a_pending_row_and_a_job_say_what_they_must(line: Outside) -> None:
    campaign_id = await line.campaign(1)
    await line.expanded(campaign_id, 1)
    message = await line.client.jetstream().get_last_msg(SEND_JOBS, f"send.job.{line.account_id}.{campaign_id}")
    job = SendJob.model_validate_json(message.data or b"")
    contact_id = await line.pool.fetchval("select id from control.contacts where campaign_id = $1", campaign_id)
    assert job.job_id == job_id("broadcast", campaign_id, contact_id, step=0)
    assert (job.contact_id, job.trigger, job.run_id) == (
        contact_id,
        "broadcast",
        (await line.run(campaign_id))["run_id"],
    )
    (row,) = await eventually(lambda: line.rows(campaign_id))
    assert (row["status"], row["body"], row["sender"]) == ("pending", "Hello Ann1", "@shop")
    assert row["destination"].startswith(f"@user{campaign_id}_")
    in_milliseconds = job.queued_at.replace(microsecond=job.queued_at.microsecond // 1000 * 1000)
    assert (row["attempt"], row["queued_at"], row["reference"]) == (0, in_milliseconds, "spring")


async def test_no_more_jobs_are_made_than_the_window_holds(line: Outside) -> None:
    campaign_id = await line.campaign(1500)
    await line.expanded(campaign_id, 1000)
    await asyncio.sleep(0.3)  # three more looks, which must not change anything
    assert (await line.run(campaign_id))["jobs_made"] == await line.waiting(campaign_id) == 1000
    async with gateway(line, campaign_id, refuse_every=0):
        await line.becomes(campaign_id, "completed")
    assert await line.counters(campaign_id) == (0, 1500, 0)


async def test_people_added_while_it_runs_get_their_message_too(line: Outside) -> None:
    campaign_id = await line.campaign(50)
    await line.expanded(campaign_id, 50)
    await line.add_contacts(campaign_id, 30)
    await line.expanded(campaign_id, 80)
    async with gateway(line, campaign_id):
        await line.becomes(campaign_id, "completed")
    assert sum(await line.counters(campaign_id)) == 80


async def test_it_never_completes_while_an_import_waits_or_an_outcome_is_missing(line: Outside) -> None:
    campaign_id = await line.campaign(20)
    import_id = await line.pool.fetchval(
        "insert into control.imports (workspace_id, campaign_id, format) values ($1, $2, 'csv') returning id",
        line.workspace_id,
        campaign_id,
    )
    async with gateway(line, campaign_id) as telegram:
        await eventually(lambda: len(telegram.seen) == 20)
        await asyncio.sleep(0.4)  # four looks
        assert await line.status(campaign_id) == "running"
        await line.pool.execute(
            "update control.imports set status = 'completed', finished_at = now() where id = $1", import_id
        )
        await line.becomes(campaign_id, "completed")


async def test_the_completed_event_has_the_final_counts(line: Outside) -> None:
    campaign_id = await line.campaign(20)
    await line.expanded(campaign_id, 20)
    async with gateway(line, campaign_id):
        await line.becomes(campaign_id, "completed")
    events = await line.campaign_events(campaign_id)
    assert [event["kind"] for event in events] == ["started", "completed"]
    counts = events[-1]["counts"]
    assert counts["sent"] + counts["failed"] == counts["total_contacts"] == 20
    assert counts["pending"] == 0


async def test_a_draft_starts_when_its_time_has_come(line: Outside) -> None:
    campaign_id = await line.campaign(3, start=False)
    await line.pool.execute(
        "update control.campaigns set scheduled_at = now() + interval '0.3 s' where id = $1", campaign_id
    )
    assert await line.run(campaign_id) == {}
    await line.expanded(campaign_id, 3)
    assert await line.pool.fetchval(
        "select started_at >= scheduled_at from control.campaigns where id = $1", campaign_id
    )


async def test_two_dispatchers_share_the_work_and_complete_once(
    line: Outside, provisioned_nats: NatsServer, database: Database
) -> None:
    async with dispatcher(provisioned_nats.url, database.dispatcher, instance="two", page_size=50, max_jobs_ahead=1000):
        campaigns = [await line.campaign(120) for _ in range(4)]
        async with AsyncExitStack() as gateways:
            for campaign_id in campaigns:
                await gateways.enter_async_context(gateway(line, campaign_id))
            for campaign_id in campaigns:
                await line.becomes(campaign_id, "completed")
        for campaign_id in campaigns:
            assert sum(await line.counters(campaign_id)) == (await line.run(campaign_id))["jobs_made"] == 120
            kinds = [event["kind"] for event in await line.campaign_events(campaign_id)]
            assert kinds == ["started", "completed"]
