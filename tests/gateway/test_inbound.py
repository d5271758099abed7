"""What people write is told: none lost, none under two ids, whatever breaks; and only what people write."""

from relaygram_common.contracts.ids import inbound_event_id
from tests.gateway.arrivals import all_told, at_work, kept_pts, receipts, stored, told, write
from tests.gateway.gateways import GatewayProcess
from tests.gateway.world import World


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
