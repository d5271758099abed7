"""Schedules: on time to a second; too late only within the grace; else a draft that says why, once."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from relaygram_common.contracts.ids import job_id
from relaygram_dispatcher.core.scheduling import misfire_reason, pause_seconds
from relaygram_local_stack.servers import NatsServer
from tests.dispatcher.line import Outside, dispatcher, gateway, log_writer, outside
from tests.support.servers import Database
from tests.support.waiting import eventually


@pytest.fixture(scope="module")
async def slow_line(provisioned_nats: NatsServer, database: Database) -> AsyncIterator[Outside]:
    """Two dispatchers that look each second, as in production, and forgive a minute."""
    async with (
        outside(provisioned_nats.url, database.dsn) as around,
        log_writer(provisioned_nats.url, database.log_writer),
        dispatcher(provisioned_nats.url, database.dispatcher, run_poll_seconds=1.0, misfire_grace_seconds=60),
        dispatcher(
            provisioned_nats.url, database.dispatcher, instance="two", run_poll_seconds=1.0, misfire_grace_seconds=60
        ),
    ):
        yield around


async def _campaign(line: Outside, campaign_id: int) -> dict[str, Any]:
    return dict(await line.pool.fetchrow("select * from control.campaigns where id = $1", campaign_id) or {})


async def _schedule(line: Outside, campaign_id: int, at: datetime | None) -> None:
    await line.pool.execute("update control.campaigns set scheduled_at = $2 where id = $1", campaign_id, at)


def _in(seconds: float) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


async def test_a_campaign_starts_within_a_second_of_its_time(slow_line: Outside) -> None:
    campaigns = [await slow_line.campaign(3, start=False) for _ in range(5)]
    for number, campaign_id in enumerate(campaigns):
        await _schedule(slow_line, campaign_id, _in(1.5 + number * 0.3))
    assert (await _campaign(slow_line, campaigns[0]))["waiting_for"] == "schedule"
    assert await slow_line.waiting_for(campaigns[0]) is not None
    for campaign_id in campaigns:
        await slow_line.becomes(campaign_id, "running")
        row = await _campaign(slow_line, campaign_id)
        assert timedelta(0) <= row["started_at"] - row["scheduled_at"] < timedelta(seconds=1)
        assert row["waiting_for"] is None
    kinds = [event["kind"] for event in await slow_line.campaign_events(campaigns[0])]
    assert kinds == ["started"]


async def test_what_a_schedule_started_is_told_so_under_the_ids_it_always_has(slow_line: Outside) -> None:
    campaign_id = await slow_line.campaign(3, start=False)
    await _schedule(slow_line, campaign_id, _in(0.5))
    async with gateway(slow_line, campaign_id, refuse_every=0) as telegram:
        await slow_line.completes(campaign_id, 3)
    rows = await slow_line.rows(campaign_id)
    assert {row["trigger"] for row in rows} == {job.trigger for job in telegram.seen} == {"schedule"}
    assert {row["job_id"] for row in rows} == {job_id("broadcast", campaign_id, row["sender_id"]) for row in rows}
    told = await slow_line.pool.fetch(
        "select triggered_by, accepted from delivery.sends where campaign_id = $1", campaign_id
    )
    assert [tuple(row) for row in told] == [("schedule", 3)]


async def test_it_starts_late_within_the_grace(slow_line: Outside) -> None:
    campaign_id = await slow_line.campaign(3, start=False)
    await _schedule(slow_line, campaign_id, _in(-50))
    await slow_line.becomes(campaign_id, "running")


async def test_later_than_that_it_stays_draft_and_says_why_once(slow_line: Outside) -> None:
    campaign_id = await slow_line.campaign(3, start=False)
    await _schedule(slow_line, campaign_id, _in(-61))

    async def says_why() -> dict[str, Any] | None:
        row = await _campaign(slow_line, campaign_id)
        return row if row["misfire"] else None

    row = await eventually(says_why)
    assert (row["status"], row["misfire"]) == ("draft", "Nothing was at work within 60 s of the scheduled time.")
    assert (row["next_send_at"], row["waiting_for"]) == (None, None)
    (event,) = await slow_line.campaign_events(campaign_id)
    assert (event["kind"], event["reason"], event["version"]) == ("failed_to_start", row["misfire"], row["version"])

    # Changed before it starts: said no more, and it starts then; cleared: it does not.
    await _schedule(slow_line, campaign_id, None)
    row = await _campaign(slow_line, campaign_id)
    assert (row["misfire"], row["waiting_for"]) == (None, None)
    await _schedule(slow_line, campaign_id, _in(0.5))
    await slow_line.becomes(campaign_id, "running")


async def test_one_that_can_not_start_yet_holds_up_no_other(slow_line: Outside) -> None:
    empty = await slow_line.campaign(0, start=False)
    asking = await slow_line.campaign(3, start=False, asks_for=["city"])
    for campaign_id in (empty, asking):
        await _schedule(slow_line, campaign_id, _in(-58))
    campaign_id = await slow_line.campaign(3, start=False)
    await _schedule(slow_line, campaign_id, _in(-1))
    await slow_line.becomes(campaign_id, "running")

    async def says_why(campaign_id: int) -> str | None:
        reason: str | None = (await _campaign(slow_line, campaign_id))["misfire"]
        return reason

    assert await eventually(partial(says_why, empty)) == "It had no contacts within 60 s of the scheduled time."
    assert (await eventually(partial(says_why, asking))).startswith("Its texts asked for columns")


@pytest.mark.parametrize(("to_next", "pause"), [(None, 1.0), (5.0, 1.0), (0.25, 0.25), (-1.0, 0.0)])
def test_it_sleeps_until_the_next_start_or_one_poll(to_next: float | None, pause: float) -> None:
    assert pause_seconds(1.0, to_next) == pause


def test_the_reason_names_the_grace() -> None:
    assert misfire_reason("import_running", 3600) == (
        "An import of contacts was not finished within 3600 s of the scheduled time."
    )
