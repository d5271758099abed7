"""Who writes the keyword is answered: by whom, how often, and what becomes of the person."""

import asyncio
from datetime import UTC, datetime, timedelta

from relaygram_common.contracts.ids import job_id
from tests.dispatcher.line import Outside, gateway
from tests.dispatcher.writing import account, all_acknowledged, answers, auto_reply, person
from tests.support.waiting import eventually


async def test_a_stranger_who_writes_the_keyword_becomes_a_sender_and_is_answered(line: Outside) -> None:
    campaign_id = await auto_reply(line, "pricing")
    before = await _campaign(line, campaign_id)
    ann = person(line, handle="@Ann_One", first_name="Ann\0a")
    date = datetime.now(UTC).replace(microsecond=0)

    (decided,) = await ann.is_decided("What is your PRICING?", date=date)

    (answer,) = await answers(line, campaign_id)
    assert (decided["decision"], decided["campaign_id"], decided["contact_id"]) == (
        "auto_reply", campaign_id, answer["contact_id"],
    )  # fmt: skip
    assert answer["job_id"] == job_id("auto_reply", campaign_id, answer["contact_id"], trigger=decided["message_id"])
    assert (answer["trigger"], answer["triggered_by_message_id"]) == ("auto_reply", decided["message_id"])
    assert (answer["telegram_user_id"], answer["handle"], answer["first_name"]) == (ann.id, "ann_one", "Anna")
    assert answer["expires_at"] == date + timedelta(days=1)
    assert answer["due_at"] <= datetime.now(UTC)
    # Not one of the imported contacts: neither is the total larger nor is there anybody new to write to.
    assert await _campaign(line, campaign_id) == before


async def _campaign(line: Outside, campaign_id: int) -> tuple[int, int, int]:
    (row,) = await line.pool.fetch("select * from control.campaigns where id = $1", campaign_id)
    return row["total_contacts"], row["contacts_generation"], row["version"]


async def test_what_has_no_keyword_is_not_answered(line: Outside) -> None:
    campaign_id = await auto_reply(line, "nothing-of-that-kind")
    other = await auto_reply(line, "elsewhere", account_id=await account(line))
    decided = await person(line).is_decided("hello", "elsewhere?", "")
    assert {row["decision"] for row in decided} == {"nothing"}
    assert await answers(line, campaign_id) == await answers(line, other) == []


async def test_who_is_known_is_not_added_again(line: Outside) -> None:
    """By id, by handle, or by the phone that the account knows of the person; what somebody else has is left out."""
    campaign_id = await auto_reply(line, "known")
    by_id, by_handle, by_phone, other = (person(line, handle=f"known_{number}") for number in range(4))
    add = "insert into control.contacts (workspace_id, campaign_id, telegram_user_id, handle, phone_sealed, phone_hash)"
    ids = [
        await line.pool.fetchval(
            f"{add} values ($1, $2, $3, $4, $5, $5) returning id", line.workspace_id, campaign_id, *address
        )
        for address in (
            (by_id.id, None, None),
            (None, by_handle.handle, None),
            (None, None, b"phone of known_2"),
            (999, other.handle, None),
        )
    ]
    await line.pool.execute(
        "insert into telegram.peers (account_id, telegram_user_id, workspace_id, access_hash, phone_hash)"
        " values ($1, $2, $3, 5, 'phone of known_2')",
        line.account_id,
        by_phone.id,
        line.workspace_id,
    )
    found = [(await one.is_decided("known?"))[0]["contact_id"] for one in (by_id, by_handle, by_phone)]
    assert found == ids[:3]
    (decided,) = await other.is_decided("known?")
    (added,) = await line.pool.fetch("select * from control.contacts where id = $1", decided["contact_id"])
    assert (added["id"] in ids, added["telegram_user_id"], added["handle"]) == (False, other.id, None)


async def test_the_oldest_running_campaign_answers_else_the_oldest_paused_one_queues_it(line: Outside) -> None:
    first, second, third = [await auto_reply(line, "oldest") for _ in range(3)]
    await auto_reply(line, "oldest", start=False)
    await line.transition(first, "pause")
    (decided,) = await person(line).is_decided("oldest")
    assert decided["campaign_id"] == second
    for campaign_id in (second, third):
        await line.transition(campaign_id, "pause")
    (decided,) = await person(line).is_decided("oldest")
    assert decided["campaign_id"] == first
    await line.transition(first, "stop")
    await line.delete(second)
    (decided,) = await person(line).is_decided("oldest")
    assert decided["campaign_id"] == third
    assert len(await answers(line, third)) == 1


async def test_a_contact_is_answered_once_in_the_cooldown(line: Outside) -> None:
    campaign_id = await auto_reply(line, "cool")
    ann, bob = person(line), person(line)
    decided = await ann.is_decided("cool", "cool", "cool")
    assert sorted(row["decision"] for row in decided) == ["auto_reply", "cooldown", "cooldown"]
    assert (await bob.is_decided("cool"))[0]["decision"] == "auto_reply"
    await line.pool.execute(
        "update dispatch.answers set answered_at = now() - interval '61 s' where campaign_id = $1", campaign_id
    )
    assert (await ann.is_decided("cool"))[0]["decision"] == "auto_reply"
    assert len(await answers(line, campaign_id)) == 3


async def test_two_bots_do_not_talk_for_ever(line: Outside) -> None:
    """Each answers whatever the other one says: one answer each, and then silence."""
    here, there = (
        await auto_reply(line, "bot"),
        await auto_reply(line, "bot", account_id=(other := await account(line))),
    )
    bots = {line.account_id: person(line), other: person(line)}
    campaigns = {line.account_id: here, other: there}
    spoken, to = 0, line.account_id
    while (await bots[to].is_decided("I am a bot", account_id=to))[0]["decision"] == "auto_reply":
        spoken += 1
        to = other if to == line.account_id else line.account_id
        assert spoken < 10
    assert spoken == 2
    assert [len(await answers(line, campaigns[one])) for one in (line.account_id, other)] == [1, 1]


async def test_a_message_that_comes_again_and_again_is_answered_once(line: Outside) -> None:
    campaign_id = await auto_reply(line, "again")
    ann = person(line)
    await asyncio.gather(*(ann.writes("again", message_id=500) for _ in range(20)))
    await all_acknowledged(line)
    assert len(await answers(line, campaign_id)) == 1
    assert await line.pool.fetchval("select count(*) from dispatch.inbound where from_id = $1", ann.id) == 1


async def test_an_answer_is_a_job_whose_log_names_the_message_it_answers(line: Outside) -> None:
    campaign_id = await auto_reply(line, "job")
    async with gateway(line, campaign_id, refuse_every=0) as telegram:
        (decided,) = await person(line, first_name="Zoe").is_decided("a job?")
        await telegram.has_seen(1)

        async def logged() -> bool:
            rows = await line.rows(campaign_id)
            assert [(row["status"], row["trigger"], row["body"]) for row in rows] == [
                ("sent", "auto_reply", "Hello Zoe")
            ]
            return bool(rows[0]["triggered_by_message_id"] == decided["message_id"])

        await eventually(logged)
    (job,) = telegram.seen
    assert (job.trigger, job.triggered_by_message_id) == ("auto_reply", decided["message_id"])
    assert job.expires_at is not None


async def test_while_paused_triggers_wait_for_the_resume_unless_they_are_too_old(line: Outside) -> None:
    campaign_id = await auto_reply(line, "paused")
    await line.transition(campaign_id, "pause")
    ann, bob = person(line), person(line)
    (fresh,) = await ann.is_decided("paused?")
    (stale,) = await bob.is_decided("paused?", date=datetime.now(UTC) - timedelta(hours=25))
    assert (fresh["decision"], stale["decision"]) == ("auto_reply", "auto_reply")
    assert await line.rows(campaign_id) == []
    async with gateway(line, campaign_id, refuse_every=0) as telegram:
        await line.transition(campaign_id, "start")

        async def told() -> bool:
            rows = {
                row["triggered_by_message_id"]: (row["state"], row["error_code"])
                for row in await line.rows(campaign_id)
            }
            return rows == {fresh["message_id"]: ("sent", None), stale["message_id"]: ("expired", "TRIGGER_EXPIRED")}

        await eventually(told)
    assert [job.triggered_by_message_id for job in telegram.seen] == [fresh["message_id"]]


async def test_answers_that_a_stopped_campaign_owes_are_not_sent(line: Outside) -> None:
    campaign_id = await auto_reply(line, "stopped")
    await line.transition(campaign_id, "pause")
    await person(line).is_decided("stopped")
    await line.transition(campaign_id, "stop")

    async def gone() -> bool:
        return await answers(line, campaign_id) == []

    await eventually(gone)
    assert await line.waiting(campaign_id) == 0
