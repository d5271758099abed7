"""Limits and waits of an account: its own, kept over restarts, and told."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from relaygram_common.contracts.ids import job_id
from relaygram_common.contracts.jobs import SendJob
from tests.gateway.gateways import GatewayProcess
from tests.gateway.world import Account, World
from tests.support.waiting import eventually


@pytest.fixture(autouse=True)
async def _no_faults_left(world: World) -> Any:
    yield
    await world.sandbox.request("DELETE", "/faults")


async def _fault(world: World, account: Account, name: str, method: str = "messages.sendMessage", **rule: Any) -> None:
    await world.sandbox.post(
        "/faults", {"name": f"{name} {account.id}", "account_id": account.person["id"], "method": method, **rule}
    )


async def _waits(world: World, account: Account) -> tuple[str, datetime | None] | None:
    row = await world.sql.fetchrow("select waiting_for, until from telegram.waits where account_id = $1", account.id)
    return None if row is None else (row["waiting_for"], row["until"])


async def _waits_for(world: World, account: Account, reason: str | None) -> datetime | None:
    async def told() -> bool:
        now = await _waits(world, account)
        assert (now and now[0]) == reason, now
        return True

    await eventually(told, 15)
    now = await _waits(world, account)
    return now[1] if now else None


async def _used(world: World, account: Account, messages: int, *, ago: timedelta) -> None:
    """As if the account had tried so many messages then."""
    await world.sql.execute(
        "insert into telegram.usage (account_id, minute, workspace_id, sends)"
        " values ($1, date_trunc('minute', now() - $4::interval), $2, $3)",
        account.id, world.workspace, messages, ago,
    )  # fmt: skip


async def _accepted(world: World, account: Account, messages: int) -> None:
    async def there() -> bool:
        return len(await world.accepted(account)) == messages

    await eventually(there)


async def _usage(world: World, account: Account) -> int:
    return int(await world.sql.fetchval("select sum(sends) from telegram.usage where account_id = $1", account.id))


async def _answers(world: World, account: Account, people: list[dict[str, Any]]) -> list[SendJob]:
    """Auto-replies to these people."""
    statement = (
        "insert into control.campaigns (workspace_id, name, mode, trigger_keyword, body, telegram_account_id, status)"
        " values ($1, 'c', 'auto_reply', 'hi', 'Answer {{first_name}}', $2, 'running') returning id"
    )
    campaign = int(await world.sql.fetchval(statement, world.workspace, account.id))
    jobs = world.jobs(account, campaign, await world.contacts(campaign, people))
    answers = [
        job.model_copy(
            update={
                "job_id": job_id("auto_reply", campaign, job.contact_id, trigger=7),
                "trigger": "auto_reply",
                "triggered_by_message_id": 7,
            }
        )
        for job in jobs
    ]
    await world.publish(answers)
    return answers


# --- throttling is no failure


async def test_throttling_is_never_counted_as_a_failure(
    world: World, own_gateway: Callable[..., GatewayProcess]
) -> None:
    """More waits than attempts are allowed: every message arrives, at its first attempt that counts."""
    await own_gateway(max_attempts=3).start()
    account = await world.account()
    await _fault(world, account, "flood", times=6, action={"error": "FLOOD_WAIT_1"})
    campaign, jobs = await world.broadcast(account, await world.people(1))
    (event,) = (await world.settled(jobs, 30)).values()
    assert (event.state.value, event.attempt) == ("sent", 1)
    assert not [
        one for one in world.events if one.account_id == account.id and one.state.value in ("retrying", "failed")
    ]
    await world.queue_is_empty(campaign)
    # Telegram counts what it refused, and so do we.
    assert await _usage(world, account) == 7


async def test_a_flood_wait_is_told_and_kept_over_a_restart(
    world: World, own_gateway: Callable[..., GatewayProcess]
) -> None:
    gateway = own_gateway(hold_seconds=1)
    await gateway.start()
    account = await world.account()
    await _fault(world, account, "flood", times=5, action={"error": "FLOOD_WAIT_9"})
    _, jobs = await world.broadcast(account, await world.people(5))
    until = await _waits_for(world, account, "flood_wait")
    row = await world.sql.fetchrow(
        "select status, backing_off_until, status_reason from control.telegram_accounts where id = $1", account.id
    )
    assert row is not None
    assert (row["status"], row["backing_off_until"]) == ("backing_off", until)
    assert row["status_reason"] == "FLOOD_WAIT: Telegram asks this account to slow down."
    told = "select count(*) from control.outbox where subject like 'account.event.%.backing_off.' || $1::text"
    assert await world.sql.fetchval(told, str(account.id)) == 1
    # What was on the wire together with it may have been taken.
    before = len(await world.wire(account))
    await gateway.kill()
    await gateway.start()
    events = await world.settled(jobs, 30)
    assert {event.state for event in events.values()} == {"sent"}
    later = (await world.wire(account))[before:]
    assert until is not None
    assert later
    assert min(datetime.fromisoformat(one["date"]) for one in later) >= until
    assert await _waits_for(world, account, None) is None
    assert await world.reaches(account.id, "active") is None


# --- PEER_FLOOD


async def test_peer_flood_doubles_and_one_message_shows_whether_it_is_over(
    world: World, own_gateway: Callable[..., GatewayProcess]
) -> None:
    """Over a kill -9, and while people who wrote get their answers."""
    settings = {"peer_flood_first_seconds": 3, "hold_seconds": 0.5}
    gateway = own_gateway(**settings)
    await gateway.start()
    account = await world.account()
    known = await world.people(12)
    await _fault(world, account, "peer flood", after=1, times=2, action={"error": "PEER_FLOOD"})
    limited = {"messages_per_second": 4}
    await world.set_limits(account.id, **limited)
    _, jobs = await world.broadcast(account, known)
    first = await _waits_for(world, account, "peer_flood")
    assert first is not None
    answers = await _answers(world, account, await world.people(3))
    await world.settled(answers, 2)
    assert datetime.now(UTC) < first  # they did not wait for it
    refused = [one for one in await world.wire(account) if one["error"] == "PEER_FLOOD"]

    async def again() -> datetime | None:
        found: datetime | None = await world.sql.fetchval(
            "select blocked_until from telegram.blocks where account_id = $1 and method = 'cold' and strikes = 2",
            account.id,
        )
        return found

    second = first
    if len(refused) == 1:  # the probe got the second one; else both were on the wire together
        second = await eventually(again, 15)
        (probed,) = [one for one in await world.wire(account) if one["error"] == "PEER_FLOOD"][1:]
        asked_at = datetime.fromisoformat(probed["date"])
        assert asked_at >= first
        assert timedelta(seconds=5.5) < second - asked_at < timedelta(seconds=7)
    await gateway.kill()
    await gateway.start()
    events = await world.settled(jobs, 40)
    assert {event.state for event in events.values()} == {"sent"}
    cold = [one for one in await world.accepted(account) if one["text"].startswith("Hello")]
    assert len(cold) == len({one["text"] for one in cold}) == 12
    after = [
        one for one in await world.wire(account) if datetime.fromisoformat(one["date"]) > second - timedelta(0, 0.3)
    ]
    probe_at, next_at = (datetime.fromisoformat(one["date"]) for one in after[:2])
    assert probe_at >= second
    assert next_at > probe_at
    assert await world.sql.fetch("select from telegram.blocks where account_id = $1 and strikes > 0", account.id) == []
    await _waits_for(world, account, None)
    assert await world.reaches(account.id, "active") is None


async def test_without_a_limit_on_the_rate_there_is_one_probe_too(
    world: World, own_gateway: Callable[..., GatewayProcess]
) -> None:
    await own_gateway(peer_flood_first_seconds=2, hold_seconds=0.5).start()
    account = await world.account()
    await _fault(world, account, "peer flood", after=1, action={"error": "PEER_FLOOD"})
    _, jobs = await world.broadcast(account, await world.people(30))
    await _waits_for(world, account, "peer_flood")
    refused = len(await world.wire(account))

    async def probed_twice() -> bool:
        return len(await world.wire(account)) == refused + 2

    await eventually(probed_twice, 15)  # after 2 s and after 4 s more
    await world.sandbox.request("DELETE", "/faults")
    events = await world.settled(jobs, 30)
    assert {event.state for event in events.values()} == {"sent"}
    texts = [one["text"] for one in await world.accepted(account)]
    assert len(texts) == len(set(texts)) == 30


async def test_an_account_that_may_not_even_answer_is_silent(
    world: World, own_gateway: Callable[..., GatewayProcess]
) -> None:
    await own_gateway(peer_flood_first_seconds=4, hold_seconds=0.5).start()
    account = await world.account(limits={"messages_per_second": 2})
    await _fault(world, account, "peer flood", times=1, action={"error": "PEER_FLOOD"})
    answers = await _answers(world, account, await world.people(4))
    until = await _waits_for(world, account, "peer_flood")
    assert until is not None
    events = await world.settled(answers, 30)
    assert {event.state.value for event in events.values()} == {"sent"}
    tries = [datetime.fromisoformat(one["date"]) for one in await world.wire(account)]
    almost = until - timedelta(seconds=1)  # what is told is told by PostgreSQL's clock, a moment later
    assert sum(at > tries[0] + timedelta(seconds=1) for at in tries) == sum(at > almost for at in tries)


async def test_a_chat_that_wants_a_pause_holds_up_no_other(
    world: World, own_gateway: Callable[..., GatewayProcess]
) -> None:
    await own_gateway().start()
    account = await world.account()
    slow, *others = await world.people(5)
    await _fault(world, account, "slow mode", peer_id=slow["id"], times=1, action={"error": "SLOWMODE_WAIT_3"})
    _, jobs = await world.broadcast(account, [slow, *others])
    events = await world.settled(jobs)
    assert {(event.state.value, event.attempt) for event in events.values()} == {("sent", 1)}
    assert await world.status(account.id) == ("active", None)
    sent = {one["to_id"]: datetime.fromisoformat(one["date"]) for one in await world.accepted(account)}
    assert sent[slow["id"]] - max(sent[other["id"]] for other in others) > timedelta(seconds=2)


async def test_a_restricted_account_rests(world: World, own_gateway: Callable[..., GatewayProcess]) -> None:
    await own_gateway().start()
    account = await world.account()
    await _fault(world, account, "restricted", action={"error": "USER_RESTRICTED"})
    campaign, jobs = await world.broadcast(account, await world.people(5))
    until = await _waits_for(world, account, "restricted")
    assert until is not None
    assert timedelta(hours=5.9) < until - datetime.now(UTC) < timedelta(hours=6.1)
    assert (await world.reaches(account.id, "backing_off") or "").startswith("ACCOUNT_RESTRICTED")
    assert world.final(jobs) == {}
    assert await world.jobs_left(campaign) == 5


# --- the hour, the day, the first day


async def test_the_hour_is_kept_over_a_restart_and_its_end_is_told(
    world: World, own_gateway: Callable[..., GatewayProcess]
) -> None:
    gateway = own_gateway()
    await gateway.start()
    account = await world.account(limits={"messages_per_hour": 6})
    await _used(world, account, 2, ago=timedelta(minutes=50))
    campaign, jobs = await world.broadcast(account, await world.people(10))
    until = await _waits_for(world, account, "hourly_limit")
    oldest = await world.sql.fetchval("select min(minute) from telegram.usage where account_id = $1", account.id)
    assert until == oldest + timedelta(minutes=61)  # the oldest bucket falls out when its last second is an hour old
    await _accepted(world, account, 4)
    await gateway.kill()
    await gateway.start()
    began = time.monotonic()
    await eventually(lambda: time.monotonic() - began > 3)
    assert len(await world.accepted(account)) == 4  # no burst
    await world.set_limits(account.id, messages_per_hour=None)
    await world.settled(jobs)
    assert await _waits_for(world, account, None) is None
    await world.queue_is_empty(campaign)


async def test_many_campaigns_share_the_hour_and_stopping_one_waits_for_nothing(
    world: World, own_gateway: Callable[..., GatewayProcess]
) -> None:
    await own_gateway().start()
    account = await world.account(limits={"messages_per_hour": 7})
    sent = [await world.broadcast(account, await world.people(4)) for _ in range(5)]
    await _waits_for(world, account, "hourly_limit")
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


async def test_the_day_has_a_limit(world: World, own_gateway: Callable[..., GatewayProcess]) -> None:
    await own_gateway().start()
    account = await world.account(limits={"messages_per_day": 100, "messages_per_hour": 50})
    await _used(world, account, 60, ago=timedelta(hours=20))
    await _used(world, account, 37, ago=timedelta(hours=5))
    _, jobs = await world.broadcast(account, await world.people(5))
    until = await _waits_for(world, account, "daily_limit")
    await eventually(lambda: len(world.final(jobs)) == 3)
    oldest = await world.sql.fetchval("select min(minute) from telegram.usage where account_id = $1", account.id)
    assert until == oldest + timedelta(hours=24, minutes=1)


async def test_a_new_account_warms_up(world: World, own_gateway: Callable[..., GatewayProcess]) -> None:
    await own_gateway().start()
    account = await world.account(limits={"warm_up": True})
    _, jobs = await world.broadcast(account, await world.people(25))
    until = await _waits_for(world, account, "warm_up")
    assert until is not None
    assert timedelta(minutes=55) < until - datetime.now(UTC) < timedelta(minutes=61)
    await _accepted(world, account, 20)
    await world.sql.execute(
        "update control.telegram_accounts set created_at = now() - interval '24 hours' where id = $1", account.id
    )
    await world.settled(jobs)
    await _waits_for(world, account, None)


async def test_each_account_has_limits_of_its_own(world: World, own_gateway: Callable[..., GatewayProcess]) -> None:
    """Of three accounts none waits for another's limit: together they need as long as one alone."""
    await own_gateway().start()
    accounts = [await world.account(limits={"messages_per_second": 10}) for _ in range(3)]
    known = await world.people(40)
    sent = [(await world.broadcast(account, known))[1] for account in accounts]
    began = time.monotonic()
    await asyncio.gather(*(world.settled(jobs, 30) for jobs in sent))
    assert time.monotonic() - began < 40 / 10 + 4  # 12 s were there one limit for all
    accounts_seen = (await world.sandbox.get("/stats"))["accounts"]
    assert all(accounts_seen[str(account.person["id"])]["max_in_one_second"] <= 10 for account in accounts)


async def test_the_second_is_kept_over_a_kill(world: World, own_gateway: Callable[..., GatewayProcess]) -> None:
    """A new owner does not know what the one before sent in the last second: it begins with a full window."""
    gateway = own_gateway()
    await gateway.start()
    account = await world.account(limits={"messages_per_second": 20})
    _, jobs = await world.broadcast(account, await world.people(100))
    for share in (20, 50):
        await eventually(lambda: len(world.final(jobs)) > share, 20)  # noqa: B023 - called at once
        await gateway.kill()
        await gateway.start()
    await world.settled(jobs, 30)
    seen = (await world.sandbox.get("/stats"))["accounts"][str(account.person["id"])]
    assert (seen["accepted"], seen["max_in_one_second"] <= 20) == (100, True)


async def test_the_second_is_kept_whatever_the_network_does(
    world: World, own_gateway: Callable[..., GatewayProcess]
) -> None:
    """Slow answers, lost answers, lost requests: counted where the messages arrive."""
    await own_gateway().start()
    account = await world.account(limits={"messages_per_second": 12})
    await _fault(world, account, "slow", probability=0.3, action={"delay_seconds": 0.7})
    await _fault(world, account, "lost answers", probability=0.04, action={"drop": "after"})
    await _fault(world, account, "lost requests", probability=0.04, action={"drop": "before"})
    _, jobs = await world.broadcast(account, await world.people(60))
    events = await world.settled(jobs, 60)
    assert {event.state for event in events.values()} == {"sent"}
    seen = (await world.sandbox.get("/stats"))["accounts"][str(account.person["id"])]
    assert (seen["accepted"], seen["max_in_one_second"] <= 12) == (60, True)


async def test_who_wrote_is_answered_before_a_broadcast_goes_on(
    world: World, own_gateway: Callable[..., GatewayProcess]
) -> None:
    await own_gateway().start()
    account = await world.account(limits={"messages_per_second": 4})
    _, jobs = await world.broadcast(account, await world.people(80))
    await eventually(lambda: len(world.final(jobs)) > 4)
    before = len(world.final(jobs))
    answers = await _answers(world, account, await world.people(4))
    await world.settled(answers)
    assert len(world.final(jobs)) < before + 12  # of 76 that came before them
    await world.set_limits(account.id, messages_per_second=None)
    await world.settled(jobs)


async def test_people_are_looked_for_no_faster_after_a_restart(
    world: World, own_gateway: Callable[..., GatewayProcess]
) -> None:
    gateway = own_gateway()
    await gateway.start()
    account = await world.account(limits={"resolves_per_minute": 5})
    _, jobs = await world.broadcast(account, await world.people(12))
    await eventually(lambda: len(world.final(jobs)) == 5)
    await gateway.kill()
    await gateway.start()
    began = time.monotonic()
    await eventually(lambda: time.monotonic() - began > 3)
    assert len(await world.wire(account, "contacts.resolveUsername")) == 5


# --- what keeps an account is told


async def test_a_lost_connection_is_told(world: World, own_gateway: Callable[..., GatewayProcess]) -> None:
    await own_gateway().start()
    account = await world.account()
    await world.broadcast(account, await world.people(1))
    closed = {"name": "closed", "account_id": account.person["id"], "method": "help.getConfig"}
    await _waits_for(world, account, None)
    await world.sandbox.post("/faults", {**closed, "action": {"drop": "before"}})
    await _fault(world, account, "cut", times=1, action={"drop": "before"})
    _, jobs = await world.broadcast(account, await world.people(1))
    assert await _waits_for(world, account, "connection") is None  # until when, nobody knows
    await world.sandbox.request("DELETE", "/faults")
    await world.settled(jobs, 30)
    await _waits_for(world, account, None)


async def test_people_who_can_not_be_found_for_long_are_told_and_hold_up_nobody_known(
    world: World, own_gateway: Callable[..., GatewayProcess]
) -> None:
    await own_gateway(hold_seconds=0.5).start()
    account = await world.account()
    known = await world.people(3)
    _, first = await world.broadcast(account, known)
    await world.settled(first)
    await _fault(world, account, "resolve", "contacts.resolveUsername", action={"error": "FLOOD_WAIT_50000"})
    _, strangers = await world.broadcast(account, await world.people(5))
    until = await _waits_for(world, account, "flood_wait")
    assert until is not None
    assert until - datetime.now(UTC) > timedelta(hours=13)
    _, again = await world.broadcast(account, known, "Again {{first_name}}")
    await world.settled(again, 10)
    assert world.final(strangers) == {}
    assert "finding people" in (await world.reaches(account.id, "backing_off") or "")


# --- who blocked us


async def test_who_blocked_one_account_hears_from_no_other_until_they_write(
    world: World, own_gateway: Callable[..., GatewayProcess]
) -> None:
    await own_gateway().start()
    one, two = await world.account(), await world.account()
    (person,) = people = await world.people(1, state="blocked")
    await world.sql.execute(  # known by phone, too
        "insert into telegram.peers (account_id, workspace_id, telegram_user_id, access_hash, phone_hash)"
        " values ($1, $2, $3, 1, $4)",
        two.id, world.workspace, person["id"], b"a phone",
    )  # fmt: skip
    _, jobs = await world.broadcast(one, people)
    assert [event.error and event.error.code for event in (await world.settled(jobs)).values()] == ["USER_BLOCKED"]

    async def suppressed() -> str | None:
        reason: str | None = await world.sql.fetchval(
            "select reason from control.suppressions where workspace_id = $1 and telegram_user_id = $2",
            world.workspace, person["id"],
        )  # fmt: skip
        return reason

    assert await eventually(suppressed) == "has blocked one of your accounts"
    _, jobs = await world.broadcast(two, people)
    assert [event.error and event.error.code for event in (await world.settled(jobs)).values()] == ["SUPPRESSED"]
    await world.sql.execute(
        "insert into dispatch.inbound (account_id, message_id, workspace_id, from_id, decision)"
        " values ($1, 1, $2, $3, 'nothing')",
        one.id, world.workspace, person["id"],
    )  # fmt: skip
    assert await suppressed() is None
    left = "select count(*) from control.suppressions where workspace_id = $1"
    assert await world.sql.fetchval(left, world.workspace) == 0
