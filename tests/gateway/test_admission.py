"""What is sent is decided at the last moment: the text as it is now, replies, opt-outs on their way, quiet hours."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from relaygram_common.contracts.ids import job_id
from relaygram_common.contracts.jobs import SendJob
from tests.gateway.arrivals import all_told, at_work, write
from tests.gateway.gateways import GatewayProcess
from tests.gateway.world import Account, World
from tests.support.waiting import eventually

ALWAYS_QUIET = {"start": "00:00", "end": "23:59:59.999999"}


async def _steps(world: World, campaign: int, *bodies: str, followups: list[dict[str, Any]] | None = None) -> list[int]:
    """Steps in this order, the first of them in the body's place; their identities."""
    identities = []
    for position, body in enumerate(bodies):
        identity = 0 if position == 0 else 1000 * campaign + position
        await world.sql.execute(
            "insert into control.steps (workspace_id, campaign_id, identity, position, body, followups)"
            " values ($1, $2, $3, $4, $5, $6)",
            world.workspace, campaign, identity, position, body, followups or [],
        )  # fmt: skip
        identities.append(identity)
    return identities


def _job(account: Account, campaign: int, contact: int, world: World, **fields: Any) -> SendJob:
    values: dict[str, Any] = {"step": 0, "trigger": "broadcast", "run_id": 1, "queued_at": datetime.now(UTC), **fields}
    return SendJob(
        job_id=job_id(
            values["trigger"], campaign, contact, values.get("step_identity", 0), values.get("follow_up"),
            values.get("triggered_by_message_id"),
        ),
        workspace_id=world.workspace, account_id=account.id, campaign_id=campaign, contact_id=contact, **values,
    )  # fmt: skip


async def _decide(world: World, account: Account, message_id: int, person: dict[str, Any]) -> None:
    """As the dispatcher does it."""
    await world.sql.execute(
        "insert into dispatch.inbound (account_id, message_id, workspace_id, from_id, decision)"
        " values ($1, $2, $3, $4, 'nothing')",
        account.id, message_id, world.workspace, person["id"],
    )  # fmt: skip


async def _deliveries(world: World, account: Account, campaign: int) -> int:
    """How often jobs of the campaign were handed to a gateway."""
    info = await world.client.jetstream().consumer_info("SEND_JOBS", f"job-{account.id}-{campaign}")
    return info.delivered.consumer_seq if info.delivered else 0


async def _delivered_since(world: World, account: Account, campaign: int, before: int) -> bool:
    """Whether more than so many were."""
    return await _deliveries(world, account, campaign) > before


async def test_each_step_has_its_own_text_as_it_is_now(world: World, gateway: GatewayProcess) -> None:
    account = await world.account()
    campaign = await world.campaign(account, "the body is not sent")
    followups = [{"after_hours": 1, "body": "Still there, {{first_name}}?"}]
    first, second, removed = await _steps(world, campaign, "One", "Two", "Three", followups=followups)
    (person,) = await world.people(1)
    (contact,) = await world.contacts(campaign, [person])
    await world.sql.execute("update control.steps set body = 'Two, edited' where identity = $1", second)
    await world.sql.execute("delete from control.steps where identity = $1", removed)
    jobs = [
        _job(account, campaign, contact, world, step_identity=first),
        _job(account, campaign, contact, world, step=1, step_identity=second, trigger="sequence"),
        _job(account, campaign, contact, world, step=1, step_identity=second, follow_up=0, trigger="follow_up"),
        _job(account, campaign, contact, world, step=1, step_identity=second, follow_up=1, trigger="follow_up"),
        _job(account, campaign, contact, world, step=2, step_identity=removed, trigger="sequence"),
    ]
    await world.publish(jobs)
    events = await world.settled(jobs)
    told = [events[job.job_id] for job in jobs]
    expected = ["One", "Two, edited", f"Still there, {person['first_name']}?", None, None]
    assert [event.body for event in told] == expected
    assert [event.state.value for event in told] == ["sent"] * 3 + ["discarded"] * 2
    assert [event.error.code if event.error else None for event in told[3:]] == ["GONE"] * 2
    assert [(event.step, event.trigger) for event in told] == [(job.step, job.trigger) for job in jobs]
    assert {event.recipient_id for event in told[:3]} == {person["id"]}


async def test_who_has_replied_gets_no_further_step(world: World, gateway: GatewayProcess) -> None:
    account = await world.account()
    campaign = await world.campaign(account)
    first, second = await _steps(world, campaign, "One", "Two", followups=[{"after_hours": 1, "body": "Hello?"}])
    people = await world.people(2)
    contacts = await world.contacts(campaign, people)
    openers = [_job(account, campaign, contact, world, step_identity=first) for contact in contacts]
    await world.publish(openers)
    await world.settled(openers)
    await write(world, people[0], account, "I am interested")
    (answer,) = await all_told(world, account, {"I am interested"})
    await _decide(world, account, answer.message_id, people[0])
    more = [
        _job(account, campaign, contact, world, step=step, step_identity=identity, follow_up=follow_up, trigger=trigger)
        for contact in contacts
        for step, identity, follow_up, trigger in ((1, second, None, "sequence"), (0, first, 0, "follow_up"))
    ]
    await world.publish(more)
    events = await world.settled(more)
    codes = [(error.code if (error := events[job.job_id].error) else None) for job in more]
    assert codes == ["REPLIED", "REPLIED", None, None]


async def test_who_is_found_only_by_phone_is_judged_by_what_is_known_then(
    world: World, gateway: GatewayProcess
) -> None:
    account = await world.account()
    await at_work(world, account)
    phones = ["+4918200000001", "+4918200000002", "+4918200000003"]
    people = [await world.sandbox.person(phone=phone) for phone in phones]
    campaign = await world.campaign(account)
    contacts = [
        await world.sql.fetchval(
            "insert into control.contacts (workspace_id, campaign_id, phone_sealed, phone_hash)"
            " values ($1, $2, $3, $4) returning id",
            world.workspace, campaign, world.sealer.seal(phone, owner=f"contact-phone:{campaign}"),
            world.sealer.fingerprint(phone),
        )
        for phone in phones
    ]  # fmt: skip
    await world.sql.execute(
        "insert into control.suppressions (workspace_id, telegram_user_id, reason) values ($1, $2, 'opted out')",
        world.workspace, people[0]["id"],
    )  # fmt: skip
    await write(world, people[1], account, "please stop")
    await all_told(world, account, {"please stop"})
    jobs = world.jobs(account, campaign, contacts)
    await world.publish(jobs)
    await eventually(lambda: len(world.final(jobs)) == 2)
    events = world.final(jobs)
    assert [events[job.job_id].state.value for job in (jobs[0], jobs[2])] == ["discarded", "sent"]
    assert {one["to_id"] for one in await world.accepted(account)} == {people[2]["id"]}


@pytest.mark.parametrize("by_handle", [True, False])
async def test_an_undecided_stop_holds_up_that_person_and_nobody_else(
    world: World, gateway: GatewayProcess, by_handle: bool
) -> None:
    """The dispatcher is down: what the person wrote may be a STOP."""
    account = await world.account(limits={"messages_per_second": 5})
    campaign = await world.campaign(account)
    await at_work(world, account)
    people = await world.people(4, **({} if by_handle else {"phone": None}))
    contacts = await world.contacts(campaign, people)
    await write(world, people[0], account, "stop", "I mean it")
    told = await all_told(world, account, {"stop", "I mean it"})
    if not by_handle:
        await world.sql.execute(
            "update control.contacts set telegram_user_id = $2, handle = null where id = $1",
            contacts[0],
            people[0]["id"],
        )
    jobs = world.jobs(account, campaign, contacts)
    await world.publish(jobs)
    await eventually(lambda: len(world.final(jobs)) == 3, what="the others got theirs")
    assert jobs[0].job_id not in world.final(jobs)
    newest = max(told, key=lambda one: one.message_id)
    await _decide(world, account, newest.message_id, people[0])
    # The older one is the STOP: its decision is still to come.
    before = await _deliveries(world, account, campaign)
    await eventually(lambda: _delivered_since(world, account, campaign, before + 1), what="looked at once more")
    assert jobs[0].job_id not in world.final(jobs)
    await world.sql.execute(
        "insert into control.suppressions (workspace_id, telegram_user_id, reason) values ($1, $2, 'opted out')",
        world.workspace, people[0]["id"],
    )  # fmt: skip
    await _decide(world, account, min(one.message_id for one in told), people[0])
    event = (await world.settled(jobs))[jobs[0].job_id]
    assert event.error is not None
    assert event.error.code == "SUPPRESSED"
    assert people[0]["id"] not in {one["to_id"] for one in await world.accepted(account)}


async def test_an_answer_does_not_wait_for_the_message_that_it_answers(world: World, gateway: GatewayProcess) -> None:
    account = await world.account()
    await at_work(world, account)
    campaign = await world.campaign(account, "Here is the price list, {{first_name}}")
    (person,) = await world.people(1)
    (contact,) = await world.contacts(campaign, [person])
    await write(world, person, account, "price?")
    (message,) = await all_told(world, account, {"price?"})
    job = _job(account, campaign, contact, world, trigger="auto_reply", triggered_by_message_id=message.message_id)
    await world.publish([job])
    (event,) = (await world.settled([job])).values()
    assert (event.state, event.trigger, event.triggered_by_message_id) == ("sent", "auto_reply", message.message_id)
    assert event.recipient_id == person["id"]
    await write(world, person, account, "and delivery?")
    await all_told(world, account, {"price?", "and delivery?"})
    other = job.model_copy(update={"job_id": uuid4()})
    await world.publish([other])
    await eventually(lambda: _delivered_since(world, account, campaign, 2), what="given back")
    assert not world.final([other])


async def test_quiet_hours_put_a_job_off_and_fail_nothing(world: World, gateway: GatewayProcess) -> None:
    account = await world.account()
    campaign = await world.campaign(account)
    people = await world.people(2)
    contacts = await world.contacts(campaign, people)
    await world.sql.execute("update control.campaigns set quiet_hours = $2 where id = $1", campaign, ALWAYS_QUIET)
    plain, answer = world.jobs(account, campaign, contacts)
    answer = answer.model_copy(update={"trigger": "auto_reply", "triggered_by_message_id": 1})
    await world.publish([plain, answer])
    await world.settled([answer])
    await world.queue_is_empty(campaign)
    due = await world.sql.fetchrow("select * from dispatch.due where job_id = $1", plain.job_id)
    assert due is not None
    assert (due["published_at"], due["counted"], due["contact_id"]) == (None, True, contacts[0])
    assert due["due_at"] > datetime.now(UTC)
    (event,) = [one for one in world.events if one.job_id == plain.job_id]
    assert event.state == "deferred"
    assert event.error is not None
    assert (event.error.code, event.error.permanent) == ("QUIET_HOURS", False)
    assert not await world.sql.fetchval("select count(*) from telegram.sends where job_id = $1", plain.job_id)
    await world.sql.execute("update control.campaigns set quiet_hours = null where id = $1", campaign)
    await world.publish([plain])
    assert (await world.settled([plain]))[plain.job_id].state == "sent"


async def test_an_answer_that_comes_too_late_is_not_sent(world: World, gateway: GatewayProcess) -> None:
    account = await world.account()
    campaign = await world.campaign(account)
    people = await world.people(2)
    late, in_time = (
        _job(account, campaign, contact, world, trigger="auto_reply", triggered_by_message_id=5, expires_at=at)
        for contact, at in zip(
            await world.contacts(campaign, people),
            (datetime.now(UTC) - timedelta(seconds=1), datetime.now(UTC) + timedelta(hours=1)),
            strict=True,
        )
    )
    await world.publish([late, in_time])
    events = await world.settled([late, in_time])
    assert [events[job.job_id].state.value for job in (late, in_time)] == ["expired", "sent"]
    error = events[late.job_id].error
    assert error is not None
    assert error.code == "TRIGGER_EXPIRED"


async def test_who_opts_out_is_told_so_once(world: World, gateway: GatewayProcess) -> None:
    account = await world.account()
    (person,) = await world.people(1)
    await at_work(world, account)
    await write(world, person, account, "STOP")
    (message,) = await all_told(world, account, {"STOP"})
    await world.sql.execute(
        "insert into control.suppressions (workspace_id, telegram_user_id, reason) values ($1, $2, 'opted out')",
        world.workspace, person["id"],
    )  # fmt: skip
    job = job_id("opt_out", 0, 1, trigger=str(uuid4()))
    row = await world.sql.fetchval(
        "insert into control.single_sends (workspace_id, trigger, body, account_id, job_id, telegram_user_id,"
        " triggered_by_message_id)"
        " values ($1, 'opt_out', 'You will hear no more from us.', $2, $3, $4, $5) returning id",
        world.workspace, account.id, job, person["id"], message.message_id,
    )  # fmt: skip
    confirmation = SendJob(
        job_id=job, workspace_id=world.workspace, account_id=account.id, campaign_id=0, contact_id=row, run_id=0,
        step=0, trigger="opt_out", triggered_by_message_id=message.message_id, queued_at=datetime.now(UTC),
    )  # fmt: skip
    await world.publish([confirmation, confirmation])
    await world.ring(account.id, "opt_out")
    (event,) = (await world.settled([confirmation])).values()
    assert (event.state, event.body) == ("sent", "You will hear no more from us.")
    assert (event.trigger, event.triggered_by_message_id) == ("opt_out", message.message_id)
    assert [one["text"] for one in await world.accepted(account)] == ["You will hear no more from us."]
