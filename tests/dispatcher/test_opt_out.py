"""STOP: on the list, out of all sequences, confirmed once."""

import asyncio

from relaygram_common.contracts.ids import job_id
from tests.dispatcher.line import Outside
from tests.dispatcher.writing import (
    Person,
    account,
    all_acknowledged,
    answers,
    auto_reply,
    contact_of,
    events_of,
    person,
    single_jobs,
    still_due,
    waits,
    was_sent,
)
from tests.support.waiting import eventually


async def _listed(line: Outside, who: Person) -> list[dict[str, object]]:
    rows = await line.pool.fetch(
        "select telegram_user_id, handle, phone_hash, reason from control.suppressions"
        " where workspace_id = $1 and (telegram_user_id = $2 or handle = $3)",
        line.workspace_id,
        who.id,
        who.handle,
    )
    return [dict(row) for row in rows]


async def test_an_opt_out_word_suppresses_by_id_handle_and_known_phone(line: Outside) -> None:
    ann = person(line, handle="ann_stop")
    await line.pool.execute(
        "insert into telegram.peers (account_id, telegram_user_id, workspace_id, access_hash, phone_hash)"
        " values ($1, $2, $3, 5, 'phone of ann_stop')",
        await account(line),  # any account of the workspace may know it
        ann.id,
        line.workspace_id,
    )
    (decided,) = await ann.is_decided(" /Stop! ")
    assert decided["decision"] == "opted_out"
    assert await _listed(line, ann) == [
        {
            "telegram_user_id": ann.id,
            "handle": "ann_stop",
            "phone_hash": b"phone of ann_stop",
            "reason": "Opted out by message",
        }
    ]


async def test_who_did_not_say_the_handle_is_suppressed_by_the_one_they_were_met_by(line: Outside) -> None:
    ann = person(line)
    await line.pool.execute(
        "insert into telegram.peers (account_id, telegram_user_id, workspace_id, access_hash, handle)"
        " values ($1, $2, $3, 5, 'ann_met')",
        line.account_id,
        ann.id,
        line.workspace_id,
    )
    await ann.is_decided("Désabonner")
    assert [row["handle"] for row in await _listed(line, ann)] == ["ann_met"]


async def test_an_opt_out_is_confirmed_once_by_the_account_that_was_written_to(line: Outside) -> None:
    account_id = await account(line)
    ann = person(line, handle="ann_once")
    first, second = await ann.is_decided("STOP", "Unsubscribe", account_id=account_id)
    assert first["decision"] == second["decision"] == "opted_out"
    (single,) = await line.pool.fetch("select * from control.single_sends where account_id = $1", account_id)
    assert (single["trigger"], single["body"], single["campaign_id"]) == (
        "opt_out", "You will get no more messages from us.", None,
    )  # fmt: skip
    assert (single["telegram_user_id"], single["handle"], single["first_name"]) == (ann.id, "ann_once", "Ann")
    asked = single["triggered_by_message_id"]
    assert asked in (first["message_id"], second["message_id"])
    assert single["job_id"] == job_id("opt_out", 0, single["id"], trigger=asked)
    (job,) = await single_jobs(line, account_id)
    assert (job["job_id"], job["contact_id"], job["trigger"], job["triggered_by_message_id"]) == (
        str(single["job_id"]), single["id"], "opt_out", asked,
    )  # fmt: skip

    async def logged() -> bool:
        row = await line.pool.fetchrow("select * from delivery.messages where job_id = $1", single["job_id"])
        assert row is not None
        assert (row["campaign_id"], row["state"], row["body"]) == (0, "queued", single["body"])
        assert (row["destination"], row["triggered_by_message_id"]) == ("@ann_once", asked)
        return True

    await eventually(logged)


async def test_two_stops_to_two_accounts_are_confirmed_once(line: Outside) -> None:
    ann, accounts = person(line), [await account(line) for _ in range(4)]
    await asyncio.gather(*(ann.is_decided("STOP", account_id=one) for one in accounts))
    confirmed = "select count(*) from control.single_sends where account_id = any ($1)"
    assert await line.pool.fetchval(confirmed, accounts) == 1
    assert len(await _listed(line, ann)) == 1


async def test_an_opt_out_is_never_answered_and_ends_what_is_due(line: Outside) -> None:
    """Also in campaigns of other accounts. What counts as a job already stays, and is discarded on its way."""
    campaign_id = await auto_reply(line, "stop")
    ann = person(line)
    sequence, elsewhere = await line.campaign(1), await line.campaign(1)
    people = [await contact_of(line, one) for one in (sequence, elsewhere)]
    other = await account(line)
    await was_sent(line, ann, sequence, contact_id=people[0], message_id=40)
    await was_sent(line, ann, elsewhere, contact_id=people[1], message_id=41, account_id=other)
    due = [
        await waits(line, sequence, people[0]),
        await waits(line, elsewhere, people[1], trigger="follow_up"),
        await waits(line, sequence, people[0], counted=True),
    ]

    (decided,) = await ann.is_decided("Стоп")

    assert decided["decision"] == "opted_out"
    assert await still_due(line, due) == due[2:]
    ended = await line.pool.fetch(
        "select replied_at from dispatch.enrollments where campaign_id = any ($1)", [sequence, elsewhere]
    )
    assert len(ended) == 2
    assert all(row["replied_at"] for row in ended)
    for one, contact_id in ((sequence, people[0]), (elsewhere, people[1])):
        (event,) = await events_of(line, "opted_out", one)
        assert (event["campaign_id"], event["sender_id"], event["kind"]) == (one, contact_id, "opted_out")
    assert await events_of(line, "replied", sequence) == []

    await ann.is_decided("STOP", "stop")
    assert len(await events_of(line, "opted_out", sequence)) == 1
    assert await answers(line, campaign_id) == []


async def test_who_was_put_on_the_list_by_hand_is_not_told_so(line: Outside) -> None:
    ann, account_id = person(line, handle="ann_by_hand"), await account(line)
    await line.pool.execute(
        "insert into control.suppressions (workspace_id, handle, reason) values ($1, 'ann_by_hand', 'asked')",
        line.workspace_id,
    )
    await ann.is_decided("STOP", account_id=account_id)
    assert [row["telegram_user_id"] for row in await _listed(line, ann)] == [ann.id]
    assert await single_jobs(line, account_id) == []


async def test_a_stranger_may_opt_out_too(line: Outside) -> None:
    ann = person(line)
    await ann.is_decided("BAJA")
    assert len(await _listed(line, ann)) == 1
    await all_acknowledged(line)
