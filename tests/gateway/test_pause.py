"""Pause, stop and limits act within a second."""

import time
from datetime import datetime

from tests.gateway.gateways import GatewayProcess
from tests.gateway.world import Account, World
from tests.support.waiting import eventually

PAUSE_SECONDS = 1.0


async def _count(world: World, account: Account) -> int:
    return len(await world.accepted(account))


async def _sends_flow(world: World, account: Account, at_least: int) -> None:
    async def flowing() -> bool:
        return await _count(world, account) >= at_least

    await eventually(flowing)


async def test_nothing_leaves_a_second_after_pause_and_all_after_start(world: World, gateway: GatewayProcess) -> None:
    account = await world.account(limits={"messages_per_second": 40})
    campaign, jobs = await world.broadcast(account, await world.people(80))
    await _sends_flow(world, account, 20)

    await world.move(campaign, "pause")
    paused_at = time.time()
    await eventually(lambda: time.time() > paused_at + 1.4)
    while_paused = await world.accepted(account)
    assert len(while_paused) < 80
    late = [one for one in while_paused if datetime.fromisoformat(one["date"]).timestamp() > paused_at + PAUSE_SECONDS]
    assert late == []

    await world.move(campaign, "start")
    events = await world.settled(jobs, 20)
    assert {event.state for event in events.values()} == {"sent"}
    assert await _count(world, account) == 80
    await world.queue_is_empty(campaign)


async def test_a_lost_doorbell_costs_a_second(world: World, gateway: GatewayProcess) -> None:
    account = await world.account(limits={"messages_per_second": 40})
    campaign, _ = await world.broadcast(account, await world.people(100))
    await _sends_flow(world, account, 10)
    # The row only: nobody relays it.
    await world.sql.fetchrow("select * from control.transition($1, $2, 'pause', 'test')", world.workspace, campaign)
    paused_at = time.time()
    await eventually(lambda: time.time() > paused_at + 1.5)
    sent = await _count(world, account)
    await eventually(lambda: time.time() > paused_at + 2.0)
    assert await _count(world, account) == sent < 100


async def test_after_stop_nothing_leaves(world: World, gateway: GatewayProcess) -> None:
    account = await world.account(limits={"messages_per_second": 40})
    campaign, _ = await world.broadcast(account, await world.people(100))
    await _sends_flow(world, account, 10)
    await world.move(campaign, "stop")
    stopped_at = time.time()
    await eventually(lambda: time.time() > stopped_at + PAUSE_SECONDS)
    sent = await _count(world, account)
    await eventually(lambda: time.time() > stopped_at + PAUSE_SECONDS + 0.5)
    assert await _count(world, account) == sent < 100
    # And no job that never left holds a line in the ledger: the dispatcher discards what the ledger does not hold.
    open_lines = await world.sql.fetchval(
        "select count(*) from telegram.sends where campaign_id = $1 and state = 'sending'", campaign
    )
    assert open_lines == 0


async def test_the_receiver_never_sees_more_than_the_limit_in_a_second(world: World, gateway: GatewayProcess) -> None:
    account = await world.account(limits={"messages_per_second": 15})
    _, jobs = await world.broadcast(account, await world.people(40))
    began = time.monotonic()
    await world.settled(jobs, 20)
    took = time.monotonic() - began
    stats = (await world.sandbox.get("/stats"))["accounts"][str(account.person["id"])]
    assert stats["max_in_one_second"] <= 15
    assert took < 40 / 15 + 3


async def test_new_limits_count_at_once(world: World, gateway: GatewayProcess) -> None:
    account = await world.account(limits={"messages_per_second": 2})
    _, jobs = await world.broadcast(account, await world.people(60))
    await _sends_flow(world, account, 1)
    await world.set_limits(account.id, messages_per_second=None)
    await world.settled(jobs, 3)


async def test_the_hour_has_a_limit(world: World, gateway: GatewayProcess) -> None:
    account = await world.account(limits={"messages_per_hour": 7})
    _, jobs = await world.broadcast(account, await world.people(20))
    await eventually(lambda: len(world.final(jobs)) == 7)
    began = time.time()
    await eventually(lambda: time.time() > began + 1)
    assert await _count(world, account) == 7
    await world.set_limits(account.id, messages_per_hour=20)
    await world.settled(jobs)


async def test_campaigns_take_turns(world: World, gateway: GatewayProcess) -> None:
    account = await world.account(limits={"messages_per_second": 20})
    # So many that, were they all first, the second campaign would wait for ten seconds.
    _, first = await world.broadcast(account, await world.people(200), "first {{first_name}}")
    await _sends_flow(world, account, 5)
    _, second = await world.broadcast(account, await world.people(10), "second {{first_name}}")
    await world.settled(second)
    assert len(world.final(first)) < 200
    await world.set_limits(account.id, messages_per_second=None)
    await world.settled(first)


async def test_people_to_be_found_hold_up_nobody_else(world: World, gateway: GatewayProcess) -> None:
    account = await world.account(limits={"resolves_per_minute": 3})
    known = await world.people(20)
    _, warm_up = await world.broadcast(account, known[:3])
    await world.settled(warm_up)
    _, strangers = await world.broadcast(account, await world.people(10))
    _, again = await world.broadcast(account, known[:3], "Again {{first_name}}")
    await world.settled(again, 10)
    assert len(world.final(strangers)) == 0
