"""Messages from people: each is decided once, whoever dies; replies end sequences; garbage holds nobody up."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from relaygram_common.database import migrate
from relaygram_common.jetstream.publisher import Outgoing
from relaygram_common.topology import DEAD_LETTERS
from relaygram_local_stack.servers import NatsServer, Postgres
from tests.dispatcher.line import Outside, dispatcher, outside
from tests.dispatcher.test_killed import process
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


@pytest.fixture
async def alone(quiet_line: Outside, provisioned_nats: NatsServer, database: Database) -> AsyncIterator[Outside]:
    """A dispatcher for this test."""
    async with dispatcher(provisioned_nats.url, database.dispatcher):
        yield quiet_line


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


async def test_the_database_is_in_the_way_for_a_while(alone: Outside) -> None:
    """Messages wait for it, and others do not for them."""
    line, busy, free = alone, person(alone), person(alone)
    async with line.pool.acquire() as connection, connection.transaction():
        chat = f"chat {busy.id} of account {line.account_id}"
        await connection.execute("select pg_advisory_xact_lock(hashtextextended($1, 0))", chat)
        await busy.writes("hello")
        await free.is_decided("hello")
        decided = "select count(*) from dispatch.inbound where from_id = $1"
        assert await line.pool.fetchval(decided, busy.id) == 0

    async def then() -> bool:
        return bool(await line.pool.fetchval(decided, busy.id) == 1)

    await eventually(then)


async def test_postgres_is_killed_while_messages_come(tmp_path: Path, provisioned_nats: NatsServer) -> None:
    with Postgres(tmp_path) as server:
        server.ensure_database("relaygram")
        await asyncio.to_thread(migrate.upgrade, server.dsn("relaygram"))
        async with (
            outside(provisioned_nats.url, server.dsn("relaygram")) as line,
            dispatcher(provisioned_nats.url, server.dsn("relaygram", "relaygram_dispatcher")),
        ):
            campaign_id = await auto_reply(line, "outage")
            people = [person(line) for _ in range(60)]
            for number, one in enumerate(people):
                if number in (20, 40):
                    server.kill()
                await one.writes("outage", "STOP" if number % 2 else "hm")
                if number in (30, 50):
                    server.start()
            await all_acknowledged(line)
            await line.pool.expire_connections()
            decided = await line.pool.fetch(
                "select decision, count(*) from dispatch.inbound group by decision order by 1"
            )
            assert [tuple(row) for row in decided] == [("auto_reply", 60), ("nothing", 30), ("opted_out", 30)]
            assert len(await answers(line, campaign_id)) == 60


_PEOPLE = 250


async def test_killed_again_and_again_each_message_is_decided_once(
    quiet_line: Outside, provisioned_nats: NatsServer, database: Database, tmp_path: Path
) -> None:
    """Two dispatchers, one of which is killed whenever some more are decided: one answer and confirmation each."""
    line, dsn = quiet_line, database.dispatcher
    answering, writing = await auto_reply(line, "kill"), await line.campaign(_PEOPLE, start=False)
    contacts = await line.pool.fetch("select id from control.contacts where campaign_id = $1 order by id", writing)
    people = [person(line) for _ in range(_PEOPLE)]
    for number, (one, contact) in enumerate(zip(people, contacts, strict=True)):
        await was_sent(line, one, writing, contact_id=contact["id"], message_id=100 + number)
    for one in people:
        await one.writes("kill", "STOP" if one.id % 2 else "kill 2")

    count = "select count(*) from dispatch.inbound where from_id = any ($1)"
    ids = [one.id for one in people]

    async def decided() -> int:
        return int(await line.pool.fetchval(count, ids))

    for number in range(4):
        async with (
            process(provisioned_nats.url, dsn, tmp_path / "log", f"first-{number}") as running,
            process(provisioned_nats.url, dsn, tmp_path / "log", f"second-{number}") as other,
        ):
            before = await decided()

            async def moved(before: int = before) -> bool:
                return await decided() > before + 30 or await decided() == 2 * _PEOPLE

            await eventually(moved, 60.0)
            running.kill()
            await eventually(moved, 60.0)
            other.kill()
    async with dispatcher(provisioned_nats.url, dsn, instance="last"):
        await all_acknowledged(line)
        stops = sum(one.id % 2 for one in people)
        assert await decided() == 2 * _PEOPLE
        kinds = "select decision, count(*) from dispatch.inbound where from_id = any ($1) group by decision"
        by_kind = {row["decision"]: row["count"] for row in await line.pool.fetch(kinds, ids)}
        assert by_kind.get("opted_out") == stops
        # Of two matching messages one is answered, the other met the cooldown; of those beside a STOP, each.
        assert (by_kind.get("auto_reply"), by_kind.get("cooldown")) == (_PEOPLE, _PEOPLE - stops)
        assert len(await answers(line, answering)) == _PEOPLE
        replied, opted_out = [await events_of(line, kind, writing) for kind in ("replied", "opted_out")]
        assert len({event["sender_id"] for event in opted_out}) == len(opted_out) == stops
        assert len({event["sender_id"] for event in replied}) == len(replied)
        assert len(replied) >= _PEOPLE - stops
        told = await line.pool.fetch("select telegram_user_id from control.single_sends where trigger = 'opt_out'")
        assert sorted(row["telegram_user_id"] for row in told) == [one for one in ids if one % 2]


async def test_a_dispatcher_that_hangs_is_made_up_for_within_15_seconds_and_decides_nothing_later(
    quiet_line: Outside, provisioned_nats: NatsServer, database: Database, tmp_path: Path
) -> None:
    line, dsn = quiet_line, database.dispatcher
    campaign_id = await auto_reply(line, "hang")
    people = [person(line) for _ in range(100)]
    ids = [one.id for one in people]
    count = "select count(*) from dispatch.inbound where from_id = any ($1)"

    async def decided(messages: int) -> bool:
        return int(await line.pool.fetchval(count, ids)) >= messages

    async with (
        process(provisioned_nats.url, dsn, tmp_path / "log", "hangs") as hung,
        process(provisioned_nats.url, dsn, tmp_path / "log", "works"),
    ):
        await asyncio.gather(*(one.writes("hang") for one in people))
        await eventually(lambda: decided(5), 30.0)
        hung.send_signal(signal.SIGSTOP)
        await eventually(lambda: decided(100), 15.0)
        hung.send_signal(signal.SIGCONT)
        await all_acknowledged(line)
        assert len({row["contact_id"] for row in await answers(line, campaign_id)}) == 100
        assert len(await answers(line, campaign_id)) == 100


async def _last_letter(line: Outside) -> dict[str, str]:
    message = await line.client.jetstream().get_last_msg(DEAD_LETTERS, "dead.letter.INBOUND_MESSAGES")
    letter: dict[str, str] = json.loads(message.data or b"{}")
    return letter


async def test_nats_goes_away_and_comes_back(alone: Outside, provisioned_nats: NatsServer) -> None:
    line, ann = alone, person(alone)
    campaign_id = await auto_reply(line, "nats")
    await ann.writes("nats", "more")
    provisioned_nats.kill()
    await asyncio.sleep(0.3)
    provisioned_nats.start()
    await eventually(lambda: line.client.is_connected, what="a connection")
    bob = person(line)
    await bob.is_decided("nats")
    await all_acknowledged(line)
    assert len(await answers(line, campaign_id)) == 2
