"""Messages from people are decided once each, whoever dies, hangs or goes away meanwhile."""

import asyncio
import signal
from pathlib import Path

import pytest

from relaygram_common.database import migrate
from relaygram_common.topology import DISPATCHER, INBOUND_MESSAGES
from relaygram_local_stack.servers import NatsServer, Postgres
from tests.dispatcher.line import Outside, dispatcher, outside
from tests.dispatcher.test_killed import process
from tests.dispatcher.writing import (
    all_acknowledged,
    answers,
    auto_reply,
    events_of,
    person,
    was_sent,
)
from tests.support.servers import Database
from tests.support.waiting import eventually


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


@pytest.mark.faults
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


@pytest.mark.faults
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


@pytest.mark.faults
async def test_a_dispatcher_that_hangs_is_made_up_for_and_decides_nothing_later(
    quiet_line: Outside, provisioned_nats: NatsServer, database: Database, tmp_path: Path
) -> None:
    line, dsn = quiet_line, database.dispatcher
    campaign_id = await auto_reply(line, "hang")
    people = [person(line) for _ in range(100)]
    ids = [one.id for one in people]
    count = "select count(*) from dispatch.inbound where from_id = any ($1)"

    async def decided(messages: int) -> bool:
        return int(await line.pool.fetchval(count, ids)) >= messages

    async def both_listen() -> bool:
        return bool((await line.client.jetstream().consumer_info(INBOUND_MESSAGES, DISPATCHER)).num_waiting == 2)

    async with (
        process(provisioned_nats.url, dsn, tmp_path / "log", "hangs") as hung,
        process(provisioned_nats.url, dsn, tmp_path / "log", "works"),
    ):
        await eventually(both_listen, 60.0, what="two dispatchers that pull")
        await asyncio.gather(*(one.writes("hang") for one in people))
        await eventually(lambda: decided(5), 60.0)
        hung.send_signal(signal.SIGSTOP)
        await eventually(lambda: decided(100), 60.0)  # 15 s, were there nothing else to do
        hung.send_signal(signal.SIGCONT)
        await all_acknowledged(line)
        assert len({row["contact_id"] for row in await answers(line, campaign_id)}) == 100
        assert len(await answers(line, campaign_id)) == 100


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
