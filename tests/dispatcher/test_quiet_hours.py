"""Quiet hours delay sends, in the contact's time zone, else the campaign's; they fail nothing."""

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from relaygram_dispatcher.adapters.nats_out import NatsOut
from relaygram_dispatcher.core.pages import jobs_of, queued_events
from relaygram_dispatcher.core.run import Contact, Content
from tests.dispatcher.line import Outside, gateway
from tests.support.waiting import eventually

# Six hours around now in UTC, so that it is quiet there and awake half a day away.
_NOW = datetime.now(UTC)
QUIET = json.dumps(
    {
        "start": (_NOW - timedelta(hours=3)).strftime("%H:%M"),
        "end": (_NOW + timedelta(hours=3)).strftime("%H:%M"),
    }
)
AWAKE_ZONE = "Etc/GMT-12"


def _ends(at: datetime) -> bool:
    # Three hours after this module was read, which is some time ago.
    return abs(at - _NOW - timedelta(hours=3)) <= timedelta(minutes=1)


async def _zone(line: Outside, campaign_id: int, zone: str, people: int) -> None:
    await line.pool.execute(
        "update control.contacts set time_zone = $2 where id in"
        " (select id from control.contacts where campaign_id = $1 order by id limit $3)",
        campaign_id, zone, people,
    )  # fmt: skip


async def test_a_broadcast_waits_for_those_who_sleep_and_goes_out_to_all_others(line: Outside) -> None:
    campaign_id = await line.campaign(50, start=False, quiet_hours=QUIET)
    await _zone(line, campaign_id, AWAKE_ZONE, 20)
    await line.transition(campaign_id, "start")
    async with gateway(line, campaign_id, refuse_every=0):

        async def the_awake() -> bool:
            return await line.counters(campaign_id) == (0, 20, 0) and len(await line.due(campaign_id)) == 30

        await eventually(the_awake)
        rows = await line.due(campaign_id)
        assert all(_ends(row["due_at"]) and row["quiet"] and not row["counted"] for row in rows)
        told = await eventually(lambda: line.waiting_for(campaign_id))
        assert told == (rows[0]["due_at"], "quiet_hours")
        assert await line.status(campaign_id) == "running"
        await _over(line, campaign_id)
        await line.completes(campaign_id, 50)


async def test_the_campaigns_zone_counts_where_the_contact_has_none(line: Outside) -> None:
    campaign_id = await line.campaign(5, quiet_hours=QUIET, time_zone=AWAKE_ZONE)
    async with gateway(line, campaign_id, refuse_every=0):
        await line.completes(campaign_id, 5)


async def test_a_step_and_a_follow_up_wait_as_well(line: Outside) -> None:
    steps: list[dict[str, Any]] = [{"body": "One", "followups": [{"after_hours": 0, "body": "?"}]}, {"body": "Two"}]
    campaign_id = await line.campaign(5, steps=steps)
    await line.expanded(campaign_id, 5)
    await _quiet(line, campaign_id, QUIET)
    async with gateway(line, campaign_id, refuse_every=0):

        async def put_off() -> bool:
            rows = await line.due(campaign_id)
            return len(rows) == 10 and all(row["quiet"] and _ends(row["due_at"]) for row in rows)

        await eventually(put_off)
        assert await line.counters(campaign_id) == (0, 5, 0)
        await _over(line, campaign_id)
        await line.completes(campaign_id, 15)


async def test_a_job_that_met_quiet_hours_on_its_way_comes_again_when_they_end(line: Outside) -> None:
    """As the gateway's admission gives them back: a plain broadcast's has no due row before, a sequence's has."""
    lists: tuple[list[dict[str, Any]], ...] = ([], [{"body": "One"}, {"body": "Two"}])
    for steps in lists:
        campaign_id = await line.campaign(6, steps=steps)
        await line.expanded(campaign_id, 6)
        jobs = await eventually(partial(_pending, line, campaign_id, 6))
        await line.client.jetstream().purge_stream("SEND_JOBS", subject=f"send.job.{line.account_id}.{campaign_id}")
        await line.pool.execute(
            "select dispatch.defer($1, $2, $3, $4, $5)",
            [row["job_id"] for row in jobs[:4]],
            [campaign_id] * 4,
            [line.account_id] * 4,
            [row["sender_id"] for row in jobs[:4]],
            [datetime.now(UTC) + timedelta(hours=1)] * 4,
        )
        async with gateway(line, campaign_id, refuse_every=0) as telegram:
            # Two were lost and are made again; those that were given back are not.
            await telegram.has_seen(2)

            async def the_others(campaign_id: int = campaign_id, sent: int = 4 if steps else 2) -> bool:
                return (await line.counters(campaign_id))[:2] == (4, sent)

            await eventually(the_others)
            assert (await eventually(partial(line.waiting_for, campaign_id)))[1] == "quiet_hours"
            await line.pool.execute(
                "update dispatch.due set due_at = now() where campaign_id = $1 and published_at is null", campaign_id
            )
            await line.completes(campaign_id, 6 if not steps else 12)
        assert set(Counter(job.job_id for job in telegram.seen).values()) == {1}


async def test_a_page_that_was_broken_off_and_then_met_quiet_hours_counts_once(line: Outside) -> None:
    """Its first dispatcher died before the cursor moved; its messages have outcomes when its people are put off."""
    campaign_id = await line.campaign(6, start=False)
    await line.pool.execute(
        "insert into dispatch.runs (campaign_id, workspace_id, account_id, epoch, lease_owner, lease_until)"
        " values ($1, $2, $3, 7, 'its own', now() + interval '1 minute')",
        campaign_id, line.workspace_id, line.account_id,
    )  # fmt: skip
    run = await line.run(campaign_id)
    rows = await line.pool.fetch("select id, handle from control.contacts where campaign_id = $1", campaign_id)
    people = [Contact(row["id"], None, row["handle"], None, None, {}) for row in rows[:4]]
    content = Content(line.workspace_id, campaign_id, line.account_id, run["run_id"], "Hi", "@shop", None, None, None)
    events = queued_events(content, people, now=datetime.now(UTC))
    out = NatsOut(line.publisher)
    await out.events(events)
    await out.jobs(jobs_of(content, events))
    async with gateway(line, campaign_id, refuse_every=0):

        async def sent() -> bool:
            return await line.counters(campaign_id) == (0, 4, 0)

        await eventually(sent)
        await _quiet(line, campaign_id, QUIET)
        await line.pool.execute("update dispatch.runs set lease_until = null where campaign_id = $1", campaign_id)
        await line.transition(campaign_id, "start")

        async def put_off() -> bool:
            return (await line.run(campaign_id))["jobs_made"] == 4 and len(await line.due(campaign_id)) == 2

        await eventually(put_off)
        await _over(line, campaign_id)
        await line.completes(campaign_id, 6)


async def test_quiet_hours_that_are_lifted_hold_up_nobody_any_more(line: Outside) -> None:
    campaign_id = await line.campaign(10, quiet_hours=QUIET)

    async def put_off() -> bool:
        return len(await line.due(campaign_id)) == 10

    await eventually(put_off)
    async with gateway(line, campaign_id, refuse_every=0):
        await _quiet(line, campaign_id, None)
        await line.completes(campaign_id, 10)


async def _pending(line: Outside, campaign_id: int, rows: int) -> list[dict[str, Any]] | None:
    found = await line.rows(campaign_id)
    return found if len(found) == rows else None


async def _quiet(line: Outside, campaign_id: int, quiet: str | None) -> None:
    """As the api changes a campaign."""
    await line.pool.execute(
        "update control.campaigns set quiet_hours = $2, version = version + 1 where id = $1", campaign_id, quiet
    )


async def _over(line: Outside, campaign_id: int) -> None:
    """The night is over, though the clock does not say so."""
    await _quiet(line, campaign_id, None)
