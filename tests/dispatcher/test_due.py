"""Due rows, step by step: the window, lost jobs and rows, what comes too late, dispatchers that die or hang."""

import asyncio
import random
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from relaygram_common.contracts.ids import job_id
from relaygram_common.topology import SEND_JOBS, provision
from relaygram_local_stack.servers import NatsServer
from tests.dispatcher.line import Outside, dispatcher, gateway
from tests.dispatcher.test_killed import process
from tests.support.servers import Database
from tests.support.waiting import eventually, run_in_thread

TWO: list[dict[str, Any]] = [{"body": "One"}, {"body": "Two", "delay_seconds": 1}]


async def test_the_window_holds_for_sequences_as_well(
    quiet_line: Outside, provisioned_nats: NatsServer, database: Database
) -> None:
    line = quiet_line
    async with dispatcher(provisioned_nats.url, database.dispatcher, instance="own", page_size=20, max_jobs_ahead=100):
        campaign_id = await line.campaign(300, steps=TWO)
        await line.expanded(campaign_id, 100)
        await asyncio.sleep(0.5)  # five more looks
        assert (await line.run(campaign_id))["jobs_made"] == await line.waiting(campaign_id) == 100
        async with gateway(line, campaign_id, refuse_every=0):
            await line.completes(campaign_id, 600)


async def test_jobs_of_due_rows_that_vanished_are_made_again(
    quiet_line: Outside, provisioned_nats: NatsServer, database: Database
) -> None:
    line = quiet_line
    async with dispatcher(provisioned_nats.url, database.dispatcher, page_size=100):
        campaign_id = await line.campaign(250, steps=TWO)
        await line.expanded(campaign_id, 250)
        await line.client.jetstream().delete_stream(SEND_JOBS)
        await asyncio.sleep(0.3)  # a few looks that find no stream
        await asyncio.to_thread(run_in_thread, provision(provisioned_nats.url))
        async with gateway(line, campaign_id, refuse_every=0) as telegram:
            await telegram.has_seen(400)
            await line.client.jetstream().purge_stream(SEND_JOBS)
            await line.completes(campaign_id, 500)


async def test_outcomes_of_due_rows_that_vanished_are_asked_for_again(
    quiet_line: Outside, provisioned_nats: NatsServer, database: Database
) -> None:
    line = quiet_line
    async with dispatcher(provisioned_nats.url, database.dispatcher, page_size=100):
        campaign_id = await line.campaign(100, steps=TWO)
        async with gateway(line, campaign_id, refuse_every=0, forgets=60) as telegram:
            await line.completes(campaign_id, 200)
    assert len(telegram.seen) > 200


async def test_a_row_whose_message_had_its_outcome_before_does_not_hold_up_the_end(
    quiet_line: Outside, provisioned_nats: NatsServer, database: Database
) -> None:
    """A page was broken off before its cursor moved, its people got their messages, and now have quiet hours."""
    line = quiet_line
    async with dispatcher(provisioned_nats.url, database.dispatcher, page_size=100):
        campaign_id = await line.campaign(10)
        async with gateway(line, campaign_id, refuse_every=0) as telegram:
            await telegram.has_seen(10)
            await line.becomes(campaign_id, "completed")
            row = (await line.rows(campaign_id))[0]
            await line.pool.execute(
                "update control.campaigns set status = 'running', completed_at = null where id = $1", campaign_id
            )
            await line.pool.execute(
                "insert into dispatch.due (job_id, workspace_id, campaign_id, account_id, contact_id, trigger, due_at,"
                " published_at, counted) values ($1, $2, $3, $4, $5, 'broadcast', now(), now(), true)",
                row["job_id"], line.workspace_id, campaign_id, line.account_id, row["sender_id"],
            )  # fmt: skip
            await line.pool.execute(
                "update dispatch.runs set finished_at = null, followed_revision = $2 where campaign_id = $1",
                campaign_id, row["revision"] + 10**6,
            )  # fmt: skip
            await line.becomes(campaign_id, "completed")
    assert await line.due(campaign_id) == []


async def _auto_reply(line: Outside) -> tuple[int, int]:
    campaign_id = await line.campaign(1, start=False)
    await line.pool.execute(
        "update control.campaigns set mode = 'auto_reply', trigger_keyword = 'hi' where id = $1", campaign_id
    )
    await line.transition(campaign_id, "start")
    contact = await line.pool.fetchval("select id from control.contacts where campaign_id = $1", campaign_id)
    return campaign_id, contact


async def _trigger(line: Outside, campaign_id: int, contact: int, message: int, expires: datetime) -> None:
    """As the decision of an inbound message leaves it."""
    await line.pool.execute(
        "insert into dispatch.due (job_id, workspace_id, campaign_id, account_id, contact_id, trigger,"
        " triggered_by_message_id, due_at, expires_at) values ($1, $2, $3, $4, $5, 'auto_reply', $6, now(), $7)",
        job_id("auto_reply", campaign_id, contact, trigger=message),
        line.workspace_id, campaign_id, line.account_id, contact, message, expires,
    )  # fmt: skip


async def test_an_auto_reply_is_a_job_with_its_trigger_and_its_row_leaves_with_the_outcome(
    quiet_line: Outside, provisioned_nats: NatsServer, database: Database
) -> None:
    line = quiet_line
    async with dispatcher(provisioned_nats.url, database.dispatcher):
        campaign_id, contact = await _auto_reply(line)
        expires = datetime.now(UTC) + timedelta(hours=1)
        await _trigger(line, campaign_id, contact, 4711, expires)
        async with gateway(line, campaign_id, refuse_every=0) as telegram:
            await telegram.has_seen(1)

            async def followed() -> bool:
                return await line.due(campaign_id) == [] and await line.counters(campaign_id) == (0, 1, 0)

            await eventually(followed)
    (job,) = telegram.seen
    assert (job.trigger, job.triggered_by_message_id, job.expires_at) == ("auto_reply", 4711, expires)
    (row,) = await line.rows(campaign_id)
    assert (row["triggered_by_message_id"], row["trigger"]) == (4711, "auto_reply")
    assert await line.status(campaign_id) == "running"  # an auto-reply never completes


async def test_triggers_of_a_paused_campaign_are_answered_at_resume_unless_they_are_too_old(
    quiet_line: Outside, provisioned_nats: NatsServer, database: Database
) -> None:
    line = quiet_line
    async with dispatcher(provisioned_nats.url, database.dispatcher):
        campaign_id, contact = await _auto_reply(line)
        await line.transition(campaign_id, "pause")
        await _trigger(line, campaign_id, contact, 1, datetime.now(UTC) + timedelta(hours=1))
        await _trigger(line, campaign_id, contact, 2, datetime.now(UTC) + timedelta(seconds=0.2))
        await asyncio.sleep(0.4)
        assert len(await line.due(campaign_id)) == 2
        async with gateway(line, campaign_id, refuse_every=0) as telegram:
            await line.transition(campaign_id, "start")

            async def decided() -> bool:
                return await line.due(campaign_id) == [] and await line.counters(campaign_id) == (0, 1, 1)

            await eventually(decided)
    assert [job.triggered_by_message_id for job in telegram.seen] == [1]
    late = next(row for row in await line.rows(campaign_id) if row["triggered_by_message_id"] == 2)
    assert (late["state"], late["error_code"]) == ("expired", "TRIGGER_EXPIRED")


async def test_people_taken_out_get_no_further_step(
    quiet_line: Outside, provisioned_nats: NatsServer, database: Database
) -> None:
    line = quiet_line
    async with dispatcher(provisioned_nats.url, database.dispatcher):
        campaign_id = await line.campaign(10, steps=TWO)
        async with gateway(line, campaign_id, refuse_every=0) as telegram:
            await telegram.has_seen(10)
            gone = await line.pool.fetch(
                "delete from control.contacts where id in (select id from control.contacts where campaign_id = $1"
                " order by id limit 4) returning id",
                campaign_id,
            )
            await line.completes(campaign_id, 16)
    assert not {row["id"] for row in gone} & {row["sender_id"] for row in await line.rows(campaign_id) if row["step"]}


async def test_people_of_an_ended_campaign_are_forgotten_though_its_dispatcher_died_before(
    quiet_line: Outside, provisioned_nats: NatsServer, database: Database
) -> None:
    line = quiet_line
    async with dispatcher(provisioned_nats.url, database.dispatcher):
        ended, living = await line.campaign(3, start=False), await line.campaign(3, start=False)
        await line.transition(ended, "stop")
        for campaign_id in (ended, living):
            await line.pool.execute(
                "insert into dispatch.enrollments (campaign_id, contact_id, workspace_id)"
                " select campaign_id, id, workspace_id from control.contacts where campaign_id = $1",
                campaign_id,
            )

        async def forgotten() -> bool:
            left = await line.pool.fetch("select distinct campaign_id from dispatch.enrollments")
            return {row["campaign_id"] for row in left} == {living}

        await eventually(forgotten)


@pytest.mark.faults
async def test_killed_in_the_middle_of_a_sequence_again_and_again(
    quiet_line: Outside, provisioned_nats: NatsServer, database: Database, tmp_path: Path
) -> None:
    line, chance, people = quiet_line, random.Random(11), 600  # noqa: S311 - when to kill is no secret
    campaign_id = await line.campaign(people, steps=[{"body": "One"}, {"body": "Two"}])
    async with gateway(line, campaign_id, refuse_every=0) as telegram:
        for number in range(4):
            before = len(telegram.seen)

            def moved(before: int = before) -> bool:
                return len(telegram.seen) > before

            async with process(provisioned_nats.url, database.dispatcher, tmp_path / "log", f"d{number % 2}"):
                await eventually(moved)
                await asyncio.sleep(chance.uniform(0.0, 0.3))
        assert await line.status(campaign_id) == "running", "the kills came too late to mean anything"
        async with process(provisioned_nats.url, database.dispatcher, tmp_path / "log", "last"):
            await line.completes(campaign_id, 2 * people)
    assert len({job.job_id for job in telegram.seen}) == 2 * people


@pytest.mark.faults
async def test_a_dispatcher_that_hangs_is_replaced_and_writes_nothing_when_it_wakes(
    quiet_line: Outside, provisioned_nats: NatsServer, database: Database, tmp_path: Path
) -> None:
    line, people = quiet_line, 400
    campaign_id = await line.campaign(people, steps=[{"body": "One"}, {"body": "Two"}])
    nats_url, dsn = provisioned_nats.url, database.dispatcher
    async with (
        gateway(line, campaign_id, refuse_every=0) as telegram,
        process(nats_url, dsn, tmp_path / "one", "one") as hanging,
    ):
        await telegram.has_seen(30)
        hanging.send_signal(signal.SIGSTOP)
        before = (await line.run(campaign_id))["epoch"]
        async with process(nats_url, dsn, tmp_path / "two", "two"):

            async def taken() -> bool:
                run = await line.run(campaign_id)
                return bool(run["lease_owner"] == "two" and run["epoch"] > before)

            await eventually(taken, 15.0)
            hanging.send_signal(signal.SIGCONT)
            await line.completes(campaign_id, 2 * people)
    assert len({job.job_id for job in telegram.seen}) == 2 * people
