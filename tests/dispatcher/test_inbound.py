"""Messages from people: replies end sequences, garbage holds nobody up, what is old is forgotten."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from relaygram_common.jetstream.publisher import Outgoing
from relaygram_common.topology import DEAD_LETTERS
from relaygram_local_stack.servers import NatsServer
from tests.dispatcher.line import Outside, dispatcher
from tests.dispatcher.writing import (
    account,
    all_acknowledged,
    answers,
    auto_reply,
    contact_of,
    events_of,
    person,
    still_due,
    waits,
    was_sent,
)
from tests.support.servers import Database
from tests.support.waiting import eventually


async def test_a_reply_ends_the_rest_of_the_sequence(alone: Outside) -> None:
    line, ann = alone, person(alone)
    campaign_id = await line.campaign(2)
    contact_id = await contact_of(line, campaign_id)
    await was_sent(line, ann, campaign_id, contact_id=contact_id, message_id=10)
    await line.pool.execute(
        "insert into dispatch.enrollments (campaign_id, contact_id, workspace_id)"
        " values ($1, $2, $3), ($1, $2 + 1, $3)",
        campaign_id,
        contact_id,
        line.workspace_id,
    )
    due = [
        await waits(line, campaign_id, contact_id),
        await waits(line, campaign_id, contact_id, trigger="follow_up"),
        await waits(line, campaign_id, contact_id, trigger="auto_reply"),
        await waits(line, campaign_id, contact_id, counted=True),
        await waits(line, campaign_id, contact_id + 1),
    ]

    await ann.is_decided("thank you")

    assert await still_due(line, due) == due[2:]
    ended = await line.pool.fetch(
        "select contact_id from dispatch.enrollments where campaign_id = $1 and replied_at is not null", campaign_id
    )
    assert [row["contact_id"] for row in ended] == [contact_id]
    (event,) = await events_of(line, "replied", campaign_id)
    assert (event["campaign_id"], event["sender_id"], event["kind"]) == (campaign_id, contact_id, "replied")
    await ann.is_decided("and again")
    assert len(await events_of(line, "replied", campaign_id)) == 1


async def test_a_reply_belongs_to_the_newest_message_and_ends_all_older_sequences(alone: Outside) -> None:
    line, ann = alone, person(alone)
    old, new, later, elsewhere, gone = [await line.campaign(1) for _ in range(5)]
    people = {one: await contact_of(line, one) for one in (old, new, later, elsewhere, gone)}
    await was_sent(line, ann, old, contact_id=people[old], message_id=21)
    await was_sent(line, ann, new, contact_id=people[new], message_id=22)
    await was_sent(line, ann, later, contact_id=people[later], message_id=99_999)
    await was_sent(line, ann, elsewhere, contact_id=people[elsewhere], message_id=20, account_id=await account(line))
    await was_sent(line, ann, gone, contact_id=people[gone], message_id=19)
    await line.transition(gone, "stop")
    due = {one: await waits(line, one, people[one]) for one in (old, new, later, elsewhere)}

    await ann.is_decided("yes?", message_id=5000)

    assert await still_due(line, list(due.values())) == [due[later], due[elsewhere]]
    told = {one: len(await events_of(line, "replied", one)) for one in people}
    assert told == {old: 0, new: 1, later: 0, elsewhere: 0, gone: 0}
    # The older campaign writes once more: the next reply is its own.
    await was_sent(line, ann, old, contact_id=people[old], message_id=5001)
    await ann.is_decided("no", message_id=5002)
    assert len(await events_of(line, "replied", old)) == 1


async def test_a_message_on_the_wire_may_have_been_answered(alone: Outside) -> None:
    line, ann = alone, person(alone)
    campaign_id = await line.campaign(1)
    contact_id = await contact_of(line, campaign_id)
    await was_sent(line, ann, campaign_id, contact_id=contact_id, message_id=None)
    long_ago = datetime.now(UTC) - timedelta(hours=1)
    await ann.is_decided("from before", date=long_ago)
    assert await events_of(line, "replied", campaign_id) == []
    await ann.is_decided("an answer")
    assert len(await events_of(line, "replied", campaign_id)) == 1


async def test_an_answer_to_a_test_is_no_reply_of_a_contact(alone: Outside) -> None:
    line, ann = alone, person(alone)
    campaign_id = await line.campaign(1)
    contact_id = await contact_of(line, campaign_id)
    await was_sent(line, ann, campaign_id, contact_id=contact_id, message_id=30)
    await was_sent(line, ann, 0, contact_id=999_999, message_id=31)
    due = await waits(line, campaign_id, contact_id)
    await ann.is_decided("fine")
    assert await still_due(line, [due]) == []
    assert await events_of(line, "replied", campaign_id) == []


async def test_all_campaigns_may_be_let_answer(
    quiet_line: Outside, provisioned_nats: NatsServer, database: Database
) -> None:
    line = quiet_line
    first, second, paused = [await auto_reply(line, "everybody") for _ in range(3)]
    await line.transition(paused, "pause")
    changed: dict[str, Any] = {
        "auto_reply_all_campaigns": True,
        "auto_reply_cooldown_seconds": 0,
        "max_trigger_age_seconds": 60,
    }
    async with dispatcher(provisioned_nats.url, database.dispatcher, **changed):
        decided = await person(line).is_decided("Everybody!", "everybody?")
    assert [row["campaign_id"] for row in decided] == [first, first]
    assert [len(await answers(line, one)) for one in (first, second, paused)] == [2, 2, 2]


@pytest.mark.parametrize("payload", [b"", b"no JSON", b'{"account_id": 0}', b"\xff"])
async def test_garbage_goes_to_the_dead_letters_and_holds_nobody_up(alone: Outside, payload: bytes) -> None:
    subject = f"message.inbound.{alone.workspace_id}.{len(payload)}"
    await alone.publisher.publish([Outgoing(subject, payload)])
    await person(alone).is_decided("hello")
    await all_acknowledged(alone)
    letter = await _last_letter(alone)
    assert letter["subject"] == subject
    assert letter["reason"].startswith("not an inbound message: ")


async def test_a_message_to_nobody_goes_to_the_dead_letters(alone: Outside) -> None:
    await person(alone).writes("hello", account_id=987_654)
    await all_acknowledged(alone)
    assert (await _last_letter(alone))["reason"] == f"workspace {alone.workspace_id} has no account 987654"


async def test_a_message_that_fails_by_itself_goes_to_the_dead_letters_after_five_tries(alone: Outside) -> None:
    """Others are decided meanwhile. Its own stays undecided, so that its person is not written to."""
    ann, bob = person(alone), person(alone)
    await ann.writes("from the last day there is", date=datetime(9999, 12, 31, 23, tzinfo=UTC))
    await bob.is_decided("hello")
    await all_acknowledged(alone)
    assert (await _last_letter(alone))["reason"].startswith("can not be decided: OverflowError: ")
    assert not await alone.pool.fetchval("select exists (select from dispatch.inbound where from_id = $1)", ann.id)


async def test_what_is_old_is_forgotten(alone: Outside) -> None:
    """After 30 days; and what an ended campaign would have answered, at once."""
    line, ann = alone, person(alone)
    stopped = await auto_reply(line, "old")
    (old,), (new,) = await ann.is_decided("old"), await ann.is_decided("x")
    await line.pool.execute(
        "update dispatch.inbound set decided_at = now() - interval '31 days' where message_id = $1", old["message_id"]
    )
    await line.pool.execute("update dispatch.answers set answered_at = now() - interval '31 days'")
    await line.transition(stopped, "stop")

    async def pruned() -> bool:
        left = await line.pool.fetch("select message_id from dispatch.inbound where from_id = $1", ann.id)
        assert [row["message_id"] for row in left] == [new["message_id"]]
        assert not await line.pool.fetchval("select count(*) from dispatch.answers")
        return await answers(line, stopped) == []

    await eventually(pruned)


async def _last_letter(line: Outside) -> dict[str, str]:
    message = await line.client.jetstream().get_last_msg(DEAD_LETTERS, "dead.letter.INBOUND_MESSAGES")
    letter: dict[str, str] = json.loads(message.data or b"{}")
    return letter
