"""Sequences: ordered steps, each after the one before was really sent, each once, as the steps are by then."""

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any

from relaygram_common.contracts.ids import job_id
from tests.dispatcher.line import Outside, gateway
from tests.support.waiting import eventually

TWO: list[dict[str, Any]] = [{"body": "One for {{first_name}}"}, {"body": "Two", "delay_seconds": 1}]


async def test_each_step_comes_its_delay_after_the_one_before_was_really_sent(line: Outside) -> None:
    campaign_id = await line.campaign(300, steps=[*TWO, {"body": "Three"}])
    async with gateway(line, campaign_id, refuse_every=0) as telegram:
        await line.completes(campaign_id, 900)
    rows = {(row["sender_id"], row["step"]): row for row in await line.rows(campaign_id)}
    assert len(rows) == len({job.job_id for job in telegram.seen}) == 900
    for (contact, step), row in rows.items():
        if step:
            waited = row["queued_at"] - rows[contact, step - 1]["sent_at"]
            assert timedelta(seconds=2 - step) <= waited < timedelta(seconds=2 - step + 3)
    assert Counter(row["body"] for row in rows.values()) == {"One for Ann1": 1, "Two": 300, "Three": 300} | {
        f"One for Ann{n}": 1 for n in range(2, 301)
    }
    assert {(row["step"], row["trigger"]) for row in rows.values()} == {
        (0, "broadcast"), (1, "sequence"), (2, "sequence")
    }  # fmt: skip
    assert await line.due(campaign_id) == []
    assert not await line.pool.fetchval(
        "select exists (select from dispatch.enrollments where campaign_id = $1)", campaign_id
    )


async def test_it_never_completes_before_the_last_step_was_sent(line: Outside) -> None:
    campaign_id = await line.campaign(5, steps=[{"body": "One"}, {"body": "Two", "delay_seconds": 2}])
    async with gateway(line, campaign_id, refuse_every=0) as telegram:
        await telegram.has_seen(5)

        async def waiting() -> bool:
            return len(await line.due(campaign_id)) == 5 and await line.counters(campaign_id) == (0, 5, 0)

        await eventually(waiting)  # nothing is on its way, and everything that is counted has its outcome
        assert await line.status(campaign_id) == "running"
        await line.completes(campaign_id, 10)
    kinds = [event["kind"] for event in await line.campaign_events(campaign_id)]
    assert kinds.count("completed") == 1


async def test_who_could_not_be_sent_a_step_gets_no_further_one(line: Outside) -> None:
    campaign_id = await line.campaign(50, steps=TWO)
    async with gateway(line, campaign_id, refuse_every=5):
        await line.completes(campaign_id, 90)
    assert {row["step"] for row in await line.rows(campaign_id) if row["status"] == "failed"} == {0}


async def test_the_same_text_in_two_steps_is_sent_twice(line: Outside) -> None:
    campaign_id = await line.campaign(3, steps=[{"body": "Same"}, {"body": "Same"}])
    async with gateway(line, campaign_id, refuse_every=0):
        await line.completes(campaign_id, 6)
    assert {row["body"] for row in await line.rows(campaign_id)} == {"Same"}


async def test_a_step_keeps_its_identity_wherever_it_is_moved_so_that_nobody_gets_it_twice(line: Outside) -> None:
    steps = [{"body": body, "identity": identity, "delay_seconds": 1} for identity, body in enumerate("ABC")]
    campaign_id = await line.campaign(5, steps=steps)
    async with gateway(line, campaign_id, refuse_every=0) as telegram:
        await telegram.has_seen(5)
        await line.put_steps(campaign_id, [steps[1], steps[0], steps[2], {"body": "D", "identity": 77}])
        await line.becomes(campaign_id, "completed")
    got = Counter((row["sender_id"], row["body"]) for row in await line.rows(campaign_id))
    assert set(got.values()) == {1}
    assert Counter(body for _, body in got) >= Counter("A" * 5 + "C" * 5 + "D" * 5)
    contact = telegram.seen[0].contact_id
    assert job_id("sequence", campaign_id, contact, step=77) in {row["job_id"] for row in await line.rows(campaign_id)}


async def test_a_removed_step_is_skipped(line: Outside) -> None:
    steps = [{"body": body, "identity": identity} for identity, body in enumerate("ABC")]
    steps[1]["delay_seconds"] = 1
    campaign_id = await line.campaign(20, steps=steps)
    async with gateway(line, campaign_id, refuse_every=0):

        async def waiting() -> bool:
            return len(await line.due(campaign_id)) == 20 and await line.counters(campaign_id) == (0, 20, 0)

        await eventually(waiting)
        await line.put_steps(campaign_id, [steps[0], steps[2]])
        await line.completes(campaign_id, 40)
    assert Counter(row["body"] for row in await line.rows(campaign_id)) == {"A": 20, "C": 20}


async def test_a_step_removed_while_its_message_waits_is_skipped_too(line: Outside) -> None:
    steps = [{"body": body, "identity": identity} for identity, body in enumerate("ABC")]
    campaign_id = await line.campaign(4, steps=steps)
    await line.expanded(campaign_id, 4)
    await line.put_steps(campaign_id, steps[1:])
    async with gateway(line, campaign_id, refuse_every=0, codes={0: "GONE"}):  # as the admission says it
        await line.completes(campaign_id, 12)
    assert Counter(row["body"] for row in await line.rows(campaign_id) if row["status"] == "sent") == {"B": 4, "C": 4}


async def test_steps_added_to_a_running_broadcast_follow_what_was_sent(line: Outside) -> None:
    campaign_id = await line.campaign(1200)  # more than the window holds
    await line.expanded(campaign_id, 1000)
    await line.put_steps(campaign_id, [{"body": "Hello {{first_name|friend}}"}, {"body": "And another"}])
    async with gateway(line, campaign_id, refuse_every=0):
        await line.completes(campaign_id, 2400)
    bodies = Counter(row["step"] for row in await line.rows(campaign_id))
    assert bodies == {0: 1200, 1: 1200}


async def test_a_changed_delay_holds_for_those_who_wait(line: Outside) -> None:
    campaign_id = await line.campaign(10, steps=[{"body": "One"}, {"body": "Two", "delay_seconds": 3600}])
    async with gateway(line, campaign_id, refuse_every=0):

        async def waiting() -> bool:
            return len(await line.due(campaign_id)) == 10 and await line.counters(campaign_id) == (0, 10, 0)

        await eventually(waiting)
        assert (await eventually(lambda: line.waiting_for(campaign_id)))[1] == "delay"
        await line.put_steps(campaign_id, TWO)
        await line.completes(campaign_id, 20)


async def test_a_paused_sequence_makes_no_jobs_and_goes_on_where_it_was(line: Outside) -> None:
    campaign_id = await line.campaign(10, steps=TWO)
    async with gateway(line, campaign_id, refuse_every=0) as telegram:
        await telegram.has_seen(10)
        await line.transition(campaign_id, "pause")
        await asyncio.sleep(1.5)  # beyond the delay
        assert len(telegram.seen) == 10
        await line.transition(campaign_id, "start")
        await line.completes(campaign_id, 20)


async def test_stopping_leaves_nothing_due(line: Outside) -> None:
    campaign_id = await line.campaign(30, steps=[{"body": "One"}, {"body": "Two", "delay_seconds": 3600}])
    async with gateway(line, campaign_id, refuse_every=0) as telegram:
        await telegram.has_seen(30)

        async def waiting() -> bool:
            return len(await line.due(campaign_id)) == 30 and await line.counters(campaign_id) == (0, 30, 0)

        await eventually(waiting)
        await line.transition(campaign_id, "stop")

        async def finished() -> bool:
            return bool((await line.run(campaign_id))["finished_at"])

        await eventually(finished)
    assert await line.due(campaign_id) == []
    assert await line.counters(campaign_id) == (0, 30, 0)
