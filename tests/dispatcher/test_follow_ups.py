"""Follow-ups: so many hours after their step, only if there was no reply in that window."""

from collections import Counter

from relaygram_common.contracts.ids import job_id
from tests.dispatcher.line import Outside, gateway
from tests.support.waiting import eventually

_SECOND = 1 / 3600


def _steps(*followups: tuple[float, str]) -> list[dict[str, object]]:
    return [{"body": "Hello", "followups": [{"after_hours": hours, "body": body} for hours, body in followups]}]


async def test_a_follow_up_comes_its_hours_after_its_step(line: Outside) -> None:
    campaign_id = await line.campaign(20, steps=_steps((_SECOND, "Still there, {{first_name}}?"), (2 * _SECOND, "Bye")))
    async with gateway(line, campaign_id, refuse_every=0) as telegram:
        await line.completes(campaign_id, 60)
    rows = await line.rows(campaign_id)
    assert Counter(row["trigger"] for row in rows) == {"broadcast": 20, "follow_up": 40}
    sent = {row["sender_id"]: row["sent_at"] for row in rows if row["trigger"] == "broadcast"}
    for job in telegram.seen:
        if job.trigger == "follow_up":
            assert job.follow_up is not None
            assert job.job_id == job_id("follow_up", campaign_id, job.contact_id, step=0, follow_up=job.follow_up)
            assert (job.queued_at - sent[job.contact_id]).total_seconds() >= job.follow_up + 1
    assert {row["body"][:5] for row in rows if row["trigger"] == "follow_up"} == {"Still", "Bye"}
    assert Counter(row["follow_up"] for row in rows) == {None: 20, 0: 20, 1: 20}
    told = "select triggered_by, follow_up, accepted, message from delivery.sends where campaign_id = $1 order by id"
    assert [tuple(row) for row in await line.pool.fetch(told, campaign_id)] == [
        ("broadcast", -1, 20, "Hello"),
        ("follow_up", 0, 20, "Still there, {{first_name}}?"),
        ("follow_up", 1, 20, "Bye"),
    ]


async def test_a_reply_ends_follow_ups_and_further_steps(line: Outside) -> None:
    steps = [*_steps((2 * _SECOND, "Still there?")), {"body": "Two", "delay_seconds": 2}]
    campaign_id = await line.campaign(4, steps=steps)
    async with gateway(line, campaign_id, refuse_every=0):

        async def waiting() -> bool:
            return len(await line.due(campaign_id)) == 8

        await eventually(waiting)
        one = (await line.due(campaign_id))[0]["contact_id"]
        async with line.pool.acquire() as connection, connection.transaction():
            await connection.execute(
                "update dispatch.enrollments set replied_at = now() where campaign_id = $1 and contact_id = $2",
                campaign_id, one,
            )  # fmt: skip
            await connection.execute(
                "delete from dispatch.due where campaign_id = $1 and contact_id = $2 and not counted", campaign_id, one
            )
        await line.completes(campaign_id, 10)
    assert [row["body"] for row in await line.rows(campaign_id) if row["sender_id"] == one] == ["Hello"]


async def test_who_replies_before_the_outcome_was_followed_gets_nothing_more(line: Outside) -> None:
    campaign_id = await line.campaign(4, steps=[*_steps((0, "Still there?")), {"body": "Two"}])
    await line.expanded(campaign_id, 4)
    await line.pool.execute("update dispatch.enrollments set replied_at = now() where campaign_id = $1", campaign_id)
    async with gateway(line, campaign_id, refuse_every=0):
        await line.completes(campaign_id, 4)


async def test_a_follow_up_that_was_removed_is_not_sent_and_holds_up_nothing(line: Outside) -> None:
    campaign_id = await line.campaign(4, steps=_steps((_SECOND, "One"), (_SECOND, "Two")))
    async with gateway(line, campaign_id, refuse_every=0):

        async def waiting() -> bool:
            return len(await line.due(campaign_id)) == 8

        await eventually(waiting)
        await line.put_steps(campaign_id, _steps((_SECOND, "One")))
        await line.completes(campaign_id, 8)
