"""What people write is told: none lost, none under two ids, whatever breaks; and only what people write."""

import asyncio
import signal
from collections.abc import Callable

import pytest

from relaygram_common.contracts.ids import inbound_event_id
from tests.gateway.arrivals import all_told, at_work, kept_pts, receipts, stored, told, write
from tests.gateway.gateways import GatewayProcess
from tests.gateway.world import World
from tests.support.waiting import eventually


async def test_a_message_is_told_with_who_wrote_it(world: World, gateway: GatewayProcess) -> None:
    account = await world.account()
    await at_work(world, account)
    person = await world.sandbox.person(username="Ann_Writes", first_name="Ann")
    await write(world, person, account, "Hello, is this still on?")
    (event,) = await all_told(world, account, {"Hello, is this still on?"})
    assert (event.from_id, event.from_handle, event.from_first_name) == (person["id"], "@ann_writes", "Ann")
    assert event.event_id == inbound_event_id(account.id, event.message_id)
    (message,) = await stored(world, "INBOUND_MESSAGES", event.subject)
    assert message.headers is not None
    assert message.headers["ce-id"] == message.headers["Nats-Msg-Id"] == str(event.event_id)
    assert message.headers["ce-type"] == "com.relaygram.message.inbound.v1"
    (receipt,) = await receipts(world, account, "reply")
    assert (receipt.chat_id, receipt.message_id) == (person["id"], event.message_id)
    row = await world.sql.fetchrow("select * from telegram.last_inbound where account_id = $1", account.id)
    assert row is not None
    assert (row["telegram_user_id"], row["message_id"]) == (person["id"], event.message_id)
    peer = await world.sql.fetchrow("select * from telegram.peers where account_id = $1", account.id)
    assert peer is not None
    assert peer["handle"] == "ann_writes"  # so that a stranger can be answered


@pytest.mark.parametrize("kind", ["user", "bot"])
async def test_what_was_written_while_nobody_ran_the_account_is_told(
    world: World, own_gateway: Callable[..., GatewayProcess], kind: str
) -> None:
    first, account = own_gateway(), await world.account(kind=kind)
    await first.start()
    await at_work(world, account)
    people = await world.people(3)
    await write(world, people[0], account, "before")
    await all_told(world, account, {"before"})
    await first.stop()
    texts = {f"missed {number}" for number in range(30)}
    for number, text in enumerate(sorted(texts)):
        await write(world, people[number % 3], account, text)
    second = own_gateway()
    await second.start()
    await all_told(world, account, {"before", *texts})
    await second.stop()


async def test_what_we_send_ourselves_is_not_told(world: World, gateway: GatewayProcess) -> None:
    account = await world.account()
    await at_work(world, account)
    people = await world.people(10)
    _, jobs = await world.broadcast(account, people)
    await world.settled(jobs)
    await write(world, people[0], account, "thanks")
    await all_told(world, account, {"thanks"})
    assert len(await told(world, account)) == 1
    before = await kept_pts(world, account)
    assert before >= 11  # also our own messages are behind it


async def test_a_lost_connection_loses_no_message(world: World, gateway: GatewayProcess) -> None:
    account = await world.account()
    await at_work(world, account)
    person, *people = await world.people(7)
    texts = [f"line {number}" for number in range(60)]
    cut = {"name": "cut", "account_id": account.person["id"], "method": "messages.sendMessage", "times": 5}
    await world.sandbox.post("/faults", {**cut, "action": {"drop": "before"}})
    _, jobs = await world.broadcast(account, people)
    for text in texts:
        await write(world, person, account, text)
    await world.settled(jobs, 30)
    attempts = [one["outcome"] for one in await world.wire(account)]
    assert attempts.count("dropped_before") == 5  # the connection was lost as often
    await all_told(world, account, set(texts))
    await world.sandbox.request("DELETE", "/faults")


async def test_a_difference_that_is_refused_is_asked_for_again(
    world: World, own_gateway: Callable[..., GatewayProcess]
) -> None:
    account, first = await world.account(), own_gateway()
    await first.start()
    await at_work(world, account)
    await first.stop()
    (person,) = await world.people(1)
    await write(world, person, account, "are you there?")
    refused = {"name": "no", "account_id": account.person["id"], "method": "updates.getDifference"}
    await world.sandbox.post("/faults", {**refused, "action": {"error": "RPC_CALL_FAIL"}, "times": 3})
    second = own_gateway()
    await second.start()
    await all_told(world, account, {"are you there?"}, 40)
    await world.sandbox.request("DELETE", "/faults")
    await second.stop()


async def test_a_gap_that_is_too_long_for_telegram_is_filled_from_the_chats(
    world: World, own_gateway: Callable[..., GatewayProcess]
) -> None:
    account, first = await world.account(), own_gateway()
    await first.start()
    await at_work(world, account)
    people = await world.people(3)
    await write(world, people[0], account, "before")
    await all_told(world, account, {"before"})
    await first.stop()
    texts = {f"in the gap {number}" for number in range(130)}
    for number, text in enumerate(sorted(texts)):
        await write(world, people[number % 2], account, text)
    await world.sandbox.put("/settings", difference_limit=50)
    second = own_gateway()
    await second.start()
    await all_told(world, account, {"before", *texts})
    assert await world.wire(account, "messages.getDialogs")  # by whichever gateway took the account
    await world.sandbox.put("/settings", difference_limit=None)
    await write(world, people[2], account, "after")
    await all_told(world, account, {"before", "after", *texts})
    await second.stop()


async def test_who_wrote_is_asked_for_where_telegram_tells_it_in_short(world: World, gateway: GatewayProcess) -> None:
    await world.sandbox.put("/settings", short_messages=True)
    account = await world.account()
    await at_work(world, account)
    people = await world.people(2)
    for person in people:
        await write(world, person, account, f"in short, from {person['id']}")
    events = await all_told(world, account, {f"in short, from {person['id']}" for person in people})
    assert {one.from_handle for one in events} == {f"@{person['username']}" for person in people}
    known = await world.sql.fetch("select telegram_user_id from telegram.peers where account_id = $1", account.id)
    assert {row["telegram_user_id"] for row in known} == {person["id"] for person in people}
    await world.sandbox.put("/settings", short_messages=False)


@pytest.mark.faults
async def test_the_gateway_is_killed_again_and_again_while_people_write(
    world: World, own_gateway: Callable[..., GatewayProcess]
) -> None:
    account, gateway = await world.account(), own_gateway()
    await gateway.start()
    await at_work(world, account)
    people = await world.people(5)
    texts = [f"word {number}" for number in range(200)]

    async def keep_writing() -> None:
        for number, text in enumerate(texts):
            await write(world, people[number % 5], account, text)
            await asyncio.sleep(0.05)  # people's pace

    writing = asyncio.create_task(keep_writing())
    for pause in (0.3, 1.1, 1.7):
        await asyncio.sleep(pause)  # any moment: no event stands for it
        await gateway.kill()
        await gateway.start()
    await writing
    await all_told(world, account, set(texts), 60)
    await gateway.stop()


@pytest.mark.faults
async def test_nats_is_away_while_people_write(world: World, own_gateway: Callable[..., GatewayProcess]) -> None:
    gateway = own_gateway(lease_seconds=4, lease_margin_seconds=0.5)
    await gateway.start()
    account = await world.account()
    await at_work(world, account)
    (person,) = await world.people(1)
    await write(world, person, account, "before")
    await all_told(world, account, {"before"})
    before = await kept_pts(world, account)
    await asyncio.to_thread(world.nats.kill)
    texts = {f"in the dark {number}" for number in range(40)}
    await write(world, person, account, *sorted(texts))

    async def noted() -> bool:
        found = await world.sql.fetchval(
            "select cardinality(undecided) from telegram.last_inbound where account_id = $1", account.id
        )
        return bool(found and found > 1)

    await eventually(noted, what="noted before it is told")
    assert await kept_pts(world, account) == before  # nothing is behind us that nobody was told of
    await asyncio.to_thread(world.nats.start)
    await world.publisher.reconnected()
    await all_told(world, account, {"before", *texts}, 60)
    await gateway.stop()


@pytest.mark.faults
async def test_a_gateway_that_hung_tells_nothing_after_another_took_over(
    world: World, own_gateway: Callable[..., GatewayProcess]
) -> None:
    """SIGSTOP with messages in hand, SIGCONT when another gateway runs the account."""
    first, second = own_gateway(), own_gateway()
    await first.start()
    account = await world.account()
    await at_work(world, account)
    (person,) = await world.people(1)
    texts = [f"over {number}" for number in range(60)]
    await write(world, person, account, *texts[:20])
    first.send(signal.SIGSTOP)
    await write(world, person, account, *texts[20:40])
    await second.start()
    await all_told(world, account, set(texts[:40]), 30)
    before = await world.sql.fetchval("select term from telegram.fences where account_id = $1", account.id)
    count = len(await told(world, account))
    first.send(signal.SIGCONT)
    await eventually(lambda: "lease.run_out" in first.log_text() or "account.taken_over" in first.log_text())
    assert len(await told(world, account)) == count
    await write(world, person, account, *texts[40:])
    await all_told(world, account, set(texts), 30)
    assert before == await world.sql.fetchval("select term from telegram.fences where account_id = $1", account.id)
    await first.stop()
    await second.stop()
