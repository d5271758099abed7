"""Waits that Telegram asks for, and people who want to hear nothing: no failures, kept over restarts, and told."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from relaygram_local_stack import ports
from tests.gateway.gateways import GatewayProcess, ending_well
from tests.gateway.limits import answers, fault, usage, waits_for
from tests.gateway.world import World
from tests.support.waiting import eventually


@pytest.fixture(scope="module")
async def kept_gateway(world: World) -> AsyncIterator[GatewayProcess]:
    """Few attempts, short waits."""
    settings = {"max_attempts": 3, "peer_flood_first_seconds": 3, "hold_seconds": 0.5}
    async with ending_well(world.gateway(ports.free_port(), **settings)) as made:
        yield made


@pytest.fixture(autouse=True)
async def _no_faults_left(world: World) -> Any:
    yield
    await world.sandbox.request("DELETE", "/faults")


async def test_throttling_is_never_counted_as_a_failure(world: World, gateway: GatewayProcess) -> None:
    """More waits than attempts are allowed: every message arrives, at its first attempt that counts."""
    account = await world.account()
    await fault(world, account, "flood", times=6, action={"error": "FLOOD_WAIT_1"})
    campaign, jobs = await world.broadcast(account, await world.people(1))
    (event,) = (await world.settled(jobs, 30)).values()
    assert (event.state.value, event.attempt) == ("sent", 1)
    assert not [
        one for one in world.events if one.account_id == account.id and one.state.value in ("retrying", "failed")
    ]
    await world.queue_is_empty(campaign)
    # Telegram counts what it refused, and so do we.
    assert await usage(world, account) == 7


async def test_a_flood_wait_is_told_and_kept_over_a_restart(world: World, gateway: GatewayProcess) -> None:
    account = await world.account()
    await fault(world, account, "flood", times=5, action={"error": "FLOOD_WAIT_9"})
    _, jobs = await world.broadcast(account, await world.people(5))
    until = await waits_for(world, account, "flood_wait")
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
    assert await waits_for(world, account, None) is None
    assert await world.reaches(account.id, "active") is None


async def test_peer_flood_doubles_and_one_message_shows_whether_it_is_over(
    world: World, gateway: GatewayProcess
) -> None:
    """Over a kill -9, and while people who wrote get their answers."""
    account = await world.account()
    known = await world.people(12)
    await fault(world, account, "peer flood", after=1, times=2, action={"error": "PEER_FLOOD"})
    limited = {"messages_per_second": 4}
    await world.set_limits(account.id, **limited)
    _, jobs = await world.broadcast(account, known)
    first = await waits_for(world, account, "peer_flood")
    assert first is not None
    replies = await answers(world, account, await world.people(3))
    await world.settled(replies, 2)
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
    await waits_for(world, account, None)
    assert await world.reaches(account.id, "active") is None


async def test_without_a_limit_on_the_rate_there_is_one_probe_too(world: World, gateway: GatewayProcess) -> None:
    account = await world.account()
    await fault(world, account, "peer flood", after=1, action={"error": "PEER_FLOOD"})
    _, jobs = await world.broadcast(account, await world.people(30))
    await waits_for(world, account, "peer_flood")
    refused = len(await world.wire(account))

    async def probed_twice() -> bool:
        return len(await world.wire(account)) == refused + 2

    await eventually(probed_twice, 15)  # after 3 s and after 6 s more
    await world.sandbox.request("DELETE", "/faults")
    events = await world.settled(jobs, 30)
    assert {event.state for event in events.values()} == {"sent"}
    texts = [one["text"] for one in await world.accepted(account)]
    assert len(texts) == len(set(texts)) == 30


async def test_an_account_that_may_not_even_answer_is_silent(world: World, gateway: GatewayProcess) -> None:
    account = await world.account(limits={"messages_per_second": 2})
    await fault(world, account, "peer flood", times=1, action={"error": "PEER_FLOOD"})
    replies = await answers(world, account, await world.people(4))
    until = await waits_for(world, account, "peer_flood")
    assert until is not None
    events = await world.settled(replies, 30)
    assert {event.state.value for event in events.values()} == {"sent"}
    tries = [datetime.fromisoformat(one["date"]) for one in await world.wire(account)]
    almost = until - timedelta(seconds=1)  # what is told is told by PostgreSQL's clock, a moment later
    assert sum(at > tries[0] + timedelta(seconds=1) for at in tries) == sum(at > almost for at in tries)


async def test_a_chat_that_wants_a_pause_holds_up_no_other(world: World, gateway: GatewayProcess) -> None:
    account = await world.account()
    slow, *others = await world.people(5)
    await fault(world, account, "slow mode", peer_id=slow["id"], times=1, action={"error": "SLOWMODE_WAIT_3"})
    _, jobs = await world.broadcast(account, [slow, *others])
    events = await world.settled(jobs)
    assert {(event.state.value, event.attempt) for event in events.values()} == {("sent", 1)}
    assert await world.status(account.id) == ("active", None)
    sent = {one["to_id"]: datetime.fromisoformat(one["date"]) for one in await world.accepted(account)}
    assert sent[slow["id"]] - max(sent[other["id"]] for other in others) > timedelta(seconds=2)


async def test_a_restricted_account_rests(world: World, gateway: GatewayProcess) -> None:
    account = await world.account()
    await fault(world, account, "restricted", action={"error": "USER_RESTRICTED"})
    campaign, jobs = await world.broadcast(account, await world.people(5))
    until = await waits_for(world, account, "restricted")
    assert until is not None
    assert timedelta(hours=5.9) < until - datetime.now(UTC) < timedelta(hours=6.1)
    assert (await world.reaches(account.id, "backing_off") or "").startswith("ACCOUNT_RESTRICTED")
    assert world.final(jobs) == {}
    assert await world.jobs_left(campaign) == 5


async def test_people_who_can_not_be_found_for_long_are_told_and_hold_up_nobody_known(
    world: World, gateway: GatewayProcess
) -> None:
    account = await world.account()
    known = await world.people(3)
    _, first = await world.broadcast(account, known)
    await world.settled(first)
    await fault(world, account, "resolve", "contacts.resolveUsername", action={"error": "FLOOD_WAIT_50000"})
    _, strangers = await world.broadcast(account, await world.people(5))
    until = await waits_for(world, account, "flood_wait")
    assert until is not None
    assert until - datetime.now(UTC) > timedelta(hours=13)
    _, again = await world.broadcast(account, known, "Again {{first_name}}")
    await world.settled(again, 10)
    assert world.final(strangers) == {}
    assert "finding people" in (await world.reaches(account.id, "backing_off") or "")


async def test_who_blocked_one_account_hears_from_no_other_until_they_write(
    world: World, gateway: GatewayProcess
) -> None:
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
