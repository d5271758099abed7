"""Test sends: through the same line as every message, exactly once, in any state of their campaign."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from relaygram_common.contracts.ids import job_id
from relaygram_common.contracts.jobs import SendJob
from tests.gateway.gateways import GatewayProcess
from tests.gateway.world import Account, World
from tests.support.waiting import eventually


async def _order(world: World, account: Account, campaign: int, person: dict[str, Any], **columns: Any) -> SendJob:
    """The row as the api writes it, and its job, not published yet."""
    values = {"handle": person["username"].lower(), "first_name": person["first_name"], **columns}
    names, places = ", ".join(values), ", ".join(f"${place}" for place in range(5, 5 + len(values)))
    job = job_id("test", campaign, 0, trigger=str(uuid4()))
    row = await world.sql.fetchval(
        f"insert into control.single_sends (workspace_id, campaign_id, account_id, job_id, {names})"  # noqa: S608 - ours
        f" values ($1, $2, $3, $4, {places}) returning id",
        world.workspace, campaign, account.id, job, *values.values(),
    )  # fmt: skip
    return SendJob(
        job_id=job, workspace_id=world.workspace, account_id=account.id, campaign_id=0, contact_id=row, run_id=0,
        step=0, trigger="test", queued_at=datetime.now(UTC),
    )  # fmt: skip


async def _publish(world: World, jobs: list[SendJob]) -> None:
    await world.publish(jobs)
    for account in {job.account_id for job in jobs}:
        await world.ring(account, "test")


async def _texts(world: World, account: Account) -> list[str]:
    return sorted(one["text"] for one in await world.accepted(account))


@pytest.mark.parametrize("status", ["draft", "paused", "running"])
async def test_a_campaign_is_tested_in_any_state(world: World, gateway: GatewayProcess, status: str) -> None:
    account = await world.account()
    campaign = await world.campaign(account, "Hello {{first_name}}, {{seat}}", status=status)
    (person,) = await world.people(1)
    job = await _order(world, account, campaign, person, columns={"seat": "12A"})
    await _publish(world, [job])
    (event,) = (await world.settled([job])).values()
    assert (event.state, event.trigger, event.campaign_id, event.run_id) == ("sent", "test", None, None)
    assert event.body == f"Hello {person['first_name']}, 12A"
    assert event.sender_id == job.contact_id
    assert await _texts(world, account) == [event.body]
    await _is_closed(world, job)


async def _is_closed(world: World, *jobs: SendJob) -> None:
    async def closed() -> bool:
        open_ones = await world.sql.fetchval(
            "select count(*) from control.single_sends where job_id = any ($1) and closed_at is null",
            [job.job_id for job in jobs],
        )
        return bool(open_ones == 0)

    await eventually(closed)

    async def acknowledged() -> bool:
        info = await world.client.jetstream().stream_info("SEND_JOBS", subjects_filter=jobs[0].subject)
        return not info.state.subjects

    await eventually(acknowledged)


async def test_a_job_that_comes_twice_is_one_message(world: World, gateway: GatewayProcess) -> None:
    account = await world.account()
    campaign = await world.campaign(account, status="draft")
    people = await world.people(3)
    jobs = [await _order(world, account, campaign, person) for person in people]
    await _publish(world, [*jobs, *jobs, *jobs])
    await world.settled(jobs)
    await _is_closed(world, *jobs)
    await _publish(world, jobs)  # and once more, when all is over
    await _is_closed(world, *jobs)
    assert len(await _texts(world, account)) == 3


async def test_suppressions_hold_and_what_is_gone_is_not_sent(world: World, gateway: GatewayProcess) -> None:
    account = await world.account()
    campaign, deleted = await world.campaign(account, status="draft"), await world.campaign(account, status="draft")
    people = await world.people(3)
    await world.sql.execute(
        "insert into control.suppressions (workspace_id, handle, reason) values ($1, $2, 'asked')",
        world.workspace, people[0]["username"].lower(),
    )  # fmt: skip
    await world.sql.execute("update control.campaigns set deleted_at = now() where id = $1", deleted)
    jobs = [
        await _order(world, account, campaign, people[0]),
        await _order(world, account, deleted, people[1]),
        await _order(world, account, campaign, people[2]),
    ]
    unknown = jobs[2].model_copy(update={"job_id": uuid4()})  # nobody wrote a row for it
    await _publish(world, [*jobs, unknown])
    events = await world.settled([*jobs, unknown])
    codes = [events[job.job_id].error for job in (*jobs, unknown)]
    assert [error.code if error else None for error in codes] == ["SUPPRESSED", "GONE", None, "GONE"]
    assert len(await _texts(world, account)) == 1


async def test_a_test_that_nobody_got_round_to_for_an_hour_is_not_sent(world: World, gateway: GatewayProcess) -> None:
    account = await world.account()
    campaign = await world.campaign(account, status="draft")
    (person,) = await world.people(1)
    hours_ago = datetime.now(UTC) - timedelta(hours=2)
    job = await _order(world, account, campaign, person, created_at=hours_ago)
    await _publish(world, [job])
    (event,) = (await world.settled([job])).values()
    assert event.state == "discarded"
    assert event.error is not None
    assert event.error.code == "EXPIRED"
    await _is_closed(world, job)
    assert await _texts(world, account) == []


async def test_a_test_goes_by_phone_and_is_told_without_it(world: World, gateway: GatewayProcess) -> None:
    account = await world.account()
    person = await world.sandbox.person(phone="+4918100000001", username="by_phone_only")
    campaign = await world.campaign(account, status="draft")
    phone = "+4918100000001"
    sealed, known = world.sealer.seal(phone, owner="contact-phone:0"), world.sealer.fingerprint(phone)
    job = await _order(world, account, campaign, {**person}, handle=None, phone_sealed=sealed, phone_hash=known)
    await _publish(world, [job])
    (event,) = (await world.settled([job])).values()
    assert (event.state, event.destination) == ("sent", str(person["id"]))
    assert phone not in event.model_dump_json()
    assert phone not in gateway.log_text()


async def test_the_accounts_limits_hold_and_a_test_waits_for_no_broadcast(
    world: World, gateway: GatewayProcess
) -> None:
    account = await world.account(limits={"messages_per_second": 5})
    _, broadcast = await world.broadcast(account, await world.people(40))
    await eventually(lambda: world.final(broadcast))
    campaign = await world.campaign(account, "Only a test", status="draft")
    jobs = [await _order(world, account, campaign, person) for person in await world.people(3)]
    await _publish(world, jobs)
    await world.settled(jobs)
    assert len(world.final(broadcast)) < 40
    stats = (await world.sandbox.get("/stats"))["accounts"][str(account.person["id"])]
    assert stats["max_in_one_second"] <= 5
    await world.sql.execute(
        "update control.campaigns set status = 'stopped', stopped_at = now() where status = 'running'"
    )


@pytest.mark.faults
async def test_the_gateway_is_killed_in_the_middle_of_a_test(
    world: World, own_gateway: Callable[..., GatewayProcess]
) -> None:
    """Telegram has the message, and its answer finds nobody: the next gateway sends nothing again and tells the end."""
    first, account = own_gateway(), await world.account()
    await first.start()
    campaign = await world.campaign(account, "Once {{first_name}}", status="draft")
    jobs = [await _order(world, account, campaign, person) for person in await world.people(4)]
    slow = {"name": "slow", "account_id": account.person["id"], "method": "messages.sendMessage"}
    await world.sandbox.post("/faults", {**slow, "action": {"drop": "after"}, "after": 1, "times": 1})
    await world.sandbox.post("/faults", {**slow, "name": "slower", "action": {"delay_seconds": 1.0}})
    await _publish(world, jobs)

    async def under_way() -> bool:
        return len(await _texts(world, account)) >= 2

    await eventually(under_way)
    await first.kill()
    await world.sandbox.request("DELETE", "/faults")
    second = own_gateway()
    await second.start()
    events = await world.settled(jobs, 30)
    assert {event.state for event in events.values()} == {"sent"}
    texts = await _texts(world, account)
    assert len(texts) == len(set(texts)) == 4
    await _is_closed(world, *jobs)


@pytest.mark.faults
async def test_killed_between_telling_and_acknowledging_it_is_told_again(
    world: World, own_gateway: Callable[..., GatewayProcess]
) -> None:
    """PostgreSQL holds up the write that closes the test: its end was told, its job was not acknowledged."""
    mine, account = own_gateway(), await world.account()
    campaign = await world.campaign(account, status="draft")
    (person,) = await world.people(1)
    job = await _order(world, account, campaign, person)
    await mine.start()
    hold = await world.second_connection()
    transaction = hold.transaction()
    await transaction.start()
    await hold.execute("select from control.single_sends where job_id = $1 for update", job.job_id)
    await _publish(world, [job])
    (first,) = (await world.settled([job])).values()
    await mine.kill()
    await transaction.rollback()
    await hold.close()
    world.events.clear()
    await mine.start()
    (again,) = (await world.settled([job], 20)).values()
    assert again == first
    assert len(await _texts(world, account)) == 1
    await _is_closed(world, job)
