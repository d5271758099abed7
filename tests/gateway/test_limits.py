"""Limits of an account: its own, kept over restarts, and told."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.gateway.gateways import GatewayProcess
from tests.gateway.limits import accepted, answers, fault, used, waits_for
from tests.gateway.world import World
from tests.support.waiting import eventually


@pytest.fixture(autouse=True)
async def _no_faults_left(world: World) -> Any:
    yield
    await world.sandbox.request("DELETE", "/faults")


async def test_the_hour_is_kept_over_a_restart_and_its_end_is_told(world: World, gateway: GatewayProcess) -> None:
    account = await world.account(limits={"messages_per_hour": 6})
    await used(world, account, 2, ago=timedelta(minutes=50))
    campaign, jobs = await world.broadcast(account, await world.people(10))
    until = await waits_for(world, account, "hourly_limit")
    oldest = await world.sql.fetchval("select min(minute) from telegram.usage where account_id = $1", account.id)
    assert until == oldest + timedelta(minutes=61)  # the oldest bucket falls out when its last second is an hour old
    await accepted(world, account, 4)
    await gateway.kill()
    await gateway.start()
    began = time.monotonic()
    await eventually(lambda: time.monotonic() - began > 3)
    assert len(await world.accepted(account)) == 4  # no burst
    await world.set_limits(account.id, messages_per_hour=None)
    await world.settled(jobs)
    assert await waits_for(world, account, None) is None
    await world.queue_is_empty(campaign)


async def test_many_campaigns_share_the_hour_and_stopping_one_waits_for_nothing(
    world: World, gateway: GatewayProcess
) -> None:
    account = await world.account(limits={"messages_per_hour": 7})
    sent = [await world.broadcast(account, await world.people(4)) for _ in range(5)]
    await waits_for(world, account, "hourly_limit")
    began = time.monotonic()
    await eventually(lambda: time.monotonic() - began > 1.5)
    assert len(await world.accepted(account)) == 7
    # What a dead process left open of a campaign is found out though the hour is used up.
    campaign, jobs = next((campaign, jobs) for campaign, jobs in sent if world.final(jobs))
    (job,) = [job for job in jobs if job.job_id in world.final(jobs)][:1]
    await world.move(campaign, "stop")
    await world.sql.execute(
        "update telegram.sends set state = 'sending', decided_at = null, telegram_message_id = null where job_id = $1",
        job.job_id,
    )
    world.events.clear()
    await world.publish([job])
    events = await world.settled([job])
    assert events[job.job_id].state == "sent"
    assert len(await world.accepted(account)) == 7


async def test_the_day_has_a_limit(world: World, gateway: GatewayProcess) -> None:
    account = await world.account(limits={"messages_per_day": 100, "messages_per_hour": 50})
    await used(world, account, 60, ago=timedelta(hours=20))
    await used(world, account, 37, ago=timedelta(hours=5))
    _, jobs = await world.broadcast(account, await world.people(5))
    until = await waits_for(world, account, "daily_limit")
    await eventually(lambda: len(world.final(jobs)) == 3)
    oldest = await world.sql.fetchval("select min(minute) from telegram.usage where account_id = $1", account.id)
    assert until == oldest + timedelta(hours=24, minutes=1)


async def test_a_new_account_warms_up(world: World, gateway: GatewayProcess) -> None:
    account = await world.account(limits={"warm_up": True})
    _, jobs = await world.broadcast(account, await world.people(25))
    until = await waits_for(world, account, "warm_up")
    assert until is not None
    assert timedelta(minutes=55) < until - datetime.now(UTC) < timedelta(minutes=61)
    await accepted(world, account, 20)
    await world.sql.execute(
        "update control.telegram_accounts set created_at = now() - interval '24 hours' where id = $1", account.id
    )
    await world.settled(jobs)
    await waits_for(world, account, None)


async def test_each_account_has_limits_of_its_own(world: World, gateway: GatewayProcess) -> None:
    """Of three accounts none waits for another's limit: together they need as long as one alone."""
    accounts = [await world.account(limits={"messages_per_second": 10}) for _ in range(3)]
    known = await world.people(40)
    sent = [(await world.broadcast(account, known))[1] for account in accounts]
    began = time.monotonic()
    await asyncio.gather(*(world.settled(jobs, 30) for jobs in sent))
    assert time.monotonic() - began < 40 / 10 + 4  # 12 s were there one limit for all
    accounts_seen = (await world.sandbox.get("/stats"))["accounts"]
    assert all(accounts_seen[str(account.person["id"])]["max_in_one_second"] <= 10 for account in accounts)


@pytest.mark.faults
async def test_the_second_is_kept_over_a_kill(world: World, gateway: GatewayProcess) -> None:
    """A new owner does not know what the one before sent in the last second: it begins with a full window."""
    account = await world.account(limits={"messages_per_second": 20})
    _, jobs = await world.broadcast(account, await world.people(100))
    for share in (20, 50):
        await eventually(lambda: len(world.final(jobs)) > share, 20)  # noqa: B023 - called at once
        await gateway.kill()
        await gateway.start()
    await world.settled(jobs, 30)
    seen = (await world.sandbox.get("/stats"))["accounts"][str(account.person["id"])]
    assert (seen["accepted"], seen["max_in_one_second"] <= 20) == (100, True)


async def test_the_second_is_kept_whatever_the_network_does(world: World, gateway: GatewayProcess) -> None:
    """Slow answers, lost answers, lost requests: counted where the messages arrive."""
    account = await world.account(limits={"messages_per_second": 12})
    await fault(world, account, "slow", probability=0.3, action={"delay_seconds": 0.7})
    await fault(world, account, "lost answers", probability=0.04, action={"drop": "after"})
    await fault(world, account, "lost requests", probability=0.04, action={"drop": "before"})
    _, jobs = await world.broadcast(account, await world.people(60))
    events = await world.settled(jobs, 60)
    assert {event.state for event in events.values()} == {"sent"}
    seen = (await world.sandbox.get("/stats"))["accounts"][str(account.person["id"])]
    assert (seen["accepted"], seen["max_in_one_second"] <= 12) == (60, True)


async def test_who_wrote_is_answered_before_a_broadcast_goes_on(world: World, gateway: GatewayProcess) -> None:
    account = await world.account(limits={"messages_per_second": 4})
    _, jobs = await world.broadcast(account, await world.people(80))
    await eventually(lambda: len(world.final(jobs)) > 4)
    before = len(world.final(jobs))
    replies = await answers(world, account, await world.people(4))
    await world.settled(replies)
    assert len(world.final(jobs)) < before + 12  # of 76 that came before them
    await world.set_limits(account.id, messages_per_second=None)
    await world.settled(jobs)


async def test_people_are_looked_for_no_faster_after_a_restart(world: World, gateway: GatewayProcess) -> None:
    account = await world.account(limits={"resolves_per_minute": 5})
    _, jobs = await world.broadcast(account, await world.people(12))
    await eventually(lambda: len(world.final(jobs)) == 5)
    await gateway.kill()
    await gateway.start()
    began = time.monotonic()
    await eventually(lambda: time.monotonic() - began > 3)
    assert len(await world.wire(account, "contacts.resolveUsername")) == 5


async def test_a_lost_connection_is_told(world: World, gateway: GatewayProcess) -> None:
    account = await world.account()
    await world.broadcast(account, await world.people(1))
    closed = {"name": "closed", "account_id": account.person["id"], "method": "help.getConfig"}
    await waits_for(world, account, None)
    await world.sandbox.post("/faults", {**closed, "action": {"drop": "before"}})
    await fault(world, account, "cut", times=1, action={"drop": "before"})
    _, jobs = await world.broadcast(account, await world.people(1))
    assert await waits_for(world, account, "connection") is None  # until when, nobody knows
    await world.sandbox.request("DELETE", "/faults")
    await world.settled(jobs, 30)
    await waits_for(world, account, None)
