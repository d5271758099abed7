"""Nothing that was written or read is lost: over a stop, kill -9, a hang, a take-over, NATS away, a gap too long."""

import asyncio
import signal
from collections.abc import Callable

import pytest

from tests.gateway.arrivals import all_read, all_told, at_work, kept_pts, read, told, write
from tests.gateway.gateways import GatewayProcess
from tests.gateway.world import World
from tests.support.waiting import eventually


@pytest.mark.parametrize("kind", ["user", "bot"])
async def test_what_was_written_while_nobody_ran_the_account_is_told(
    world: World, gateway: GatewayProcess, kind: str
) -> None:
    account = await world.account(kind=kind)
    await at_work(world, account)
    people = await world.people(3)
    await write(world, people[0], account, "before")
    await all_told(world, account, {"before"})
    await gateway.stop()
    texts = {f"missed {number}" for number in range(30)}
    for number, text in enumerate(sorted(texts)):
        await write(world, people[number % 3], account, text)
    await gateway.start()
    await all_told(world, account, {"before", *texts})


async def test_a_difference_that_is_refused_is_asked_for_again(world: World, gateway: GatewayProcess) -> None:
    account = await world.account()
    await at_work(world, account)
    await gateway.stop()
    (person,) = await world.people(1)
    await write(world, person, account, "are you there?")
    refused = {"name": "no", "account_id": account.person["id"], "method": "updates.getDifference"}
    await world.sandbox.post("/faults", {**refused, "action": {"error": "RPC_CALL_FAIL"}, "times": 3})
    await gateway.start()
    await all_told(world, account, {"are you there?"}, 40)
    await world.sandbox.request("DELETE", "/faults")


async def test_who_said_stop_while_nobody_ran_the_account_is_not_written_to(
    world: World, gateway: GatewayProcess
) -> None:
    """The jobs are there before Telegram says what was missed."""
    account = await world.account()
    await at_work(world, account)
    await gateway.stop()
    people = await world.people(3)
    await write(world, people[0], account, "STOP")
    slow = {"name": "slow", "account_id": account.person["id"], "method": "updates.getDifference", "times": 1}
    await world.sandbox.post("/faults", {**slow, "action": {"delay_seconds": 1.5}})
    campaign = await world.campaign(account)
    jobs = world.jobs(account, campaign, await world.contacts(campaign, people))
    await world.publish(jobs)
    await gateway.start()
    await eventually(lambda: len(world.final(jobs)) == 2, what="the others got theirs")
    assert jobs[0].job_id not in world.final(jobs)
    assert people[0]["id"] not in {one["to_id"] for one in await world.accepted(account)}


async def test_a_gap_that_is_too_long_for_telegram_is_filled_from_the_chats(
    world: World, gateway: GatewayProcess
) -> None:
    account = await world.account()
    await at_work(world, account)
    people = await world.people(3)
    await write(world, people[0], account, "before")
    await all_told(world, account, {"before"})
    await gateway.stop()
    texts = {f"in the gap {number}" for number in range(130)}
    for number, text in enumerate(sorted(texts)):
        await write(world, people[number % 2], account, text)
    await world.sandbox.put("/settings", difference_limit=50)
    await gateway.start()
    await all_told(world, account, {"before", *texts})
    assert await world.wire(account, "messages.getDialogs")  # by whichever gateway took the account
    await world.sandbox.put("/settings", difference_limit=None)
    await write(world, people[2], account, "after")
    await all_told(world, account, {"before", "after", *texts})


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


@pytest.mark.parametrize("state_is_kept", [True, False])
async def test_what_was_read_while_nobody_ran_the_account_is_told(
    world: World, gateway: GatewayProcess, state_is_kept: bool
) -> None:
    """From Telegram's difference; and where that no longer tells it, from the chats."""
    account = await world.account()
    people = await world.people(120)
    _, jobs = await world.broadcast(account, people)
    events = await world.settled(jobs)
    await gateway.stop()
    if not state_is_kept:
        await world.sql.execute("delete from telegram.update_states where account_id = $1", account.id)
    await read(world, account, *people)
    await gateway.start(RELAYGRAM_CATCH_UP_SECONDS="1")
    found = await all_read(world, account, 120)
    expected = {(event.recipient_id, event.telegram_message_id) for event in events.values()}
    assert {(one.chat_id, one.message_id) for one in found} == expected


async def test_what_nobody_decided_since_its_stream_was_lost_is_told_again(
    world: World, gateway: GatewayProcess
) -> None:
    await gateway.stop()
    await gateway.start(RELAYGRAM_UNDECIDED_SECONDS="2")
    account = await world.account()
    await at_work(world, account)
    (person,) = await world.people(1)
    await write(world, person, account, "first", "second")
    before = {one.event_id for one in await all_told(world, account, {"first", "second"})}
    # The stream's memory of ids goes with it.
    js = world.client.jetstream()
    info = await js.stream_info("INBOUND_MESSAGES")
    await js.delete_stream("INBOUND_MESSAGES")
    await js.add_stream(info.config)
    events = await all_told(world, account, {"first", "second"})
    assert {one.event_id for one in events} == before


async def test_a_state_that_is_not_this_accounts_is_not_gone_on_from(world: World, gateway: GatewayProcess) -> None:
    """Another person was logged in: with a state ahead of Telegram's nothing would ever be told."""
    account = await world.account()
    await world.sql.execute(
        "insert into telegram.update_states (account_id, workspace_id, pts, qts, date, seq)"
        " values ($1, $2, 1000000, 0, now(), 1)",
        account.id, world.workspace,
    )  # fmt: skip

    async def begun_anew() -> bool:
        return 0 < await kept_pts(world, account) < 1000000

    await eventually(begun_anew)
    (person,) = await world.people(1)
    await write(world, person, account, "hello")
    await all_told(world, account, {"hello"})
