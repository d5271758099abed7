"""Whatever Telegram answers, or fails to answer: each message once, and its outcome told."""

import base64
from collections.abc import Callable
from typing import Any

import orjson
import pytest

from relaygram_common.jetstream.publisher import Outgoing
from tests.gateway.gateways import GatewayProcess
from tests.gateway.world import Account, World
from tests.support.waiting import eventually


@pytest.fixture(autouse=True)
async def _no_faults_left(world: World) -> Any:
    yield
    await world.sandbox.request("DELETE", "/faults")


async def _fault(world: World, account: Account, method: str = "messages.sendMessage", **rule: Any) -> None:
    await world.sandbox.post(
        "/faults", {"name": f"fault of {account.id}", "account_id": account.person["id"], "method": method, **rule}
    )


async def _texts(world: World, account: Account) -> list[str]:
    return [one["text"] for one in await world.accepted(account)]


async def test_a_job_published_twice_is_sent_once(world: World, gateway: GatewayProcess) -> None:
    account = await world.account()
    _, jobs = await world.broadcast(account, await world.people(10))
    await world.publish(jobs)
    await world.settled(jobs)
    await world.publish(jobs)  # and once more when all is done
    await world.queue_is_empty(jobs[0].campaign_id)
    assert len(await _texts(world, account)) == 10


@pytest.mark.parametrize(
    ("person", "code"),
    [
        ({"privacy": "contacts"}, "USER_PRIVACY_RESTRICTED"),
        ({"state": "deactivated"}, "USER_DEACTIVATED"),
        ({"state": "blocked"}, "USER_BLOCKED"),
    ],
)
async def test_a_refusal_has_its_code(world: World, gateway: GatewayProcess, person: dict[str, str], code: str) -> None:
    account = await world.account()
    _, jobs = await world.broadcast(account, await world.people(1, **person))
    (event,) = (await world.settled(jobs)).values()
    assert event.state == "failed"
    assert event.error is not None
    assert event.error.code == code
    assert event.error.message.endswith(".")
    assert event.error.permanent
    await world.queue_is_empty(jobs[0].campaign_id)


async def test_nobody_has_the_handle(world: World, gateway: GatewayProcess) -> None:
    account = await world.account()
    _, jobs = await world.broadcast(account, [{"username": "nobody_has_this", "first_name": "N"}])
    (event,) = (await world.settled(jobs)).values()
    assert event.error is not None
    assert event.error.code == "USER_NOT_FOUND"


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_lost_connection_costs_no_message_and_doubles_none(
    world: World, gateway: GatewayProcess, when: str
) -> None:
    account = await world.account()
    await _fault(world, account, after=3, times=2, action={"drop": when})
    _, jobs = await world.broadcast(account, await world.people(20))
    events = await world.settled(jobs)
    assert {event.state for event in events.values()} == {"sent"}
    assert len(await _texts(world, account)) == 20
    assert all(event.telegram_message_id is not None for event in events.values())
    failures = await world.sql.fetchval(
        "select sum(network_failures) from telegram.sends where account_id = $1", account.id
    )
    assert failures == 0
    await world.queue_is_empty(jobs[0].campaign_id)


async def test_a_flood_wait_is_a_pause_not_a_failure(world: World, gateway: GatewayProcess) -> None:
    account = await world.account()
    await _fault(world, account, after=2, times=1, action={"error": "FLOOD_WAIT_2"})
    _, jobs = await world.broadcast(account, await world.people(8))
    reason = await world.reaches(account.id, "backing_off")
    assert reason is not None
    assert reason.startswith("FLOOD_WAIT")
    events = await world.settled(jobs)
    assert {event.state for event in events.values()} == {"sent"}
    assert len(await _texts(world, account)) == 8
    assert await world.reaches(account.id, "active") is None
    assert not [event for event in world.events if event.state == "retrying" and event.account_id == account.id]


async def test_faults_of_telegram_are_retried(world: World, gateway: GatewayProcess) -> None:
    account = await world.account()
    await _fault(world, account, times=2, action={"error": "RPC_CALL_FAIL"})
    _, jobs = await world.broadcast(account, await world.people(1))
    (event,) = (await world.settled(jobs)).values()
    assert event.state == "sent"
    assert event.attempt == 3
    retrying = [one for one in world.events if one.job_id == event.job_id and one.state == "retrying"]
    assert [one.attempt for one in retrying] == [1, 2]
    assert retrying[0].error is not None
    assert (retrying[0].error.code, retrying[0].error.permanent) == ("NETWORK", False)


async def test_refused_at_the_second_attempt_but_accepted_at_the_first(world: World, gateway: GatewayProcess) -> None:
    """The first answer was lost. The log must not say `failed` of a message that the person has."""
    account = await world.account()
    await _fault(world, account, times=1, action={"drop": "after"})
    later = {"name": "later", "account_id": account.person["id"], "method": "messages.sendMessage"}
    await world.sandbox.post("/faults", {**later, "action": {"error": "USER_PRIVACY_RESTRICTED"}})
    _, jobs = await world.broadcast(account, await world.people(1))
    (event,) = (await world.settled(jobs)).values()
    assert len(await _texts(world, account)) == 1
    assert event.state == "sent"
    assert event.telegram_message_id is not None


async def test_refused_at_the_second_attempt_and_lost_at_the_first(world: World, gateway: GatewayProcess) -> None:
    account = await world.account()
    await _fault(world, account, times=1, action={"drop": "before"})
    later = {"name": "later", "account_id": account.person["id"], "method": "messages.sendMessage"}
    await world.sandbox.post("/faults", {**later, "action": {"error": "USER_PRIVACY_RESTRICTED"}})
    _, jobs = await world.broadcast(account, await world.people(1))
    (event,) = (await world.settled(jobs)).values()
    assert await _texts(world, account) == []
    assert event.error is not None
    assert event.error.code == "USER_PRIVACY_RESTRICTED"


async def test_after_three_retries_it_has_failed(world: World, gateway: GatewayProcess) -> None:
    account = await world.account()
    await _fault(world, account, action={"error": "RPC_CALL_FAIL"}, times=9)
    _, jobs = await world.broadcast(account, await world.people(1))
    (event,) = (await world.settled(jobs)).values()
    assert event.state == "failed"
    assert event.error is not None
    assert event.error.code == "NETWORK"
    assert len(await world.wire(account)) == 4


async def test_a_stale_access_hash_is_found_anew_once(world: World, gateway: GatewayProcess) -> None:
    account = await world.account()
    await _fault(world, account, times=1, action={"error": "PEER_ID_INVALID"})
    _, jobs = await world.broadcast(account, await world.people(1))
    (event,) = (await world.settled(jobs)).values()
    assert event.state == "sent"
    assert len(await world.wire(account, "contacts.resolveUsername")) == 2


async def test_content_that_fails_for_everybody_pauses_the_campaign(world: World, gateway: GatewayProcess) -> None:
    account = await world.account(limits={"messages_per_second": 5})
    await _fault(world, account, action={"error": "ENTITY_BOUNDS_INVALID"})
    campaign, jobs = await world.broadcast(account, await world.people(30))

    async def paused() -> bool:
        row = await world.sql.fetchrow("select status, status_reason from control.campaigns where id = $1", campaign)
        assert row is not None
        return (row["status"], row["status_reason"]) == ("paused", "content_error")

    await eventually(paused)
    await eventually(lambda: world.final(jobs))
    failed = world.final(jobs)
    assert {event.error.code for event in failed.values() if event.error} == {"INVALID_CONTENT"}
    assert len(failed) < 30


async def test_by_phone_the_person_is_found_and_leaves_no_contact(world: World, gateway: GatewayProcess) -> None:
    account = await world.account()
    person = await world.sandbox.person(phone="+4918000001")
    campaign = await world.campaign(account, "By phone")
    sealed = world.sealer.seal("+4918000001", owner=f"contact-phone:{campaign}")
    contact = await world.sql.fetchval(
        "insert into control.contacts (workspace_id, campaign_id, phone_sealed, phone_hash) values ($1, $2, $3, $4)"
        " returning id",
        world.workspace, campaign, sealed, world.sealer.fingerprint("+4918000001"),
    )  # fmt: skip
    jobs = world.jobs(account, campaign, [contact])
    await world.publish(jobs)
    (event,) = (await world.settled(jobs)).values()
    assert event.state == "sent"
    assert event.destination == str(person["id"])
    assert await world.wire(account, "contacts.deleteContacts")


async def test_a_suppressed_person_gets_nothing(world: World, gateway: GatewayProcess) -> None:
    account = await world.account()
    people = await world.people(2)
    await world.sql.execute(
        "insert into control.suppressions (workspace_id, handle, reason) values ($1, $2, 'asked')",
        world.workspace, people[0]["username"],
    )  # fmt: skip
    _, jobs = await world.broadcast(account, people)
    events = await world.settled(jobs)
    discarded = events[jobs[0].job_id]
    assert discarded.state == "discarded"
    assert discarded.error is not None
    assert discarded.error.code == "SUPPRESSED"
    assert len(await _texts(world, account)) == 1


async def test_a_text_that_is_empty_for_one_person_fails_for_that_person_only(
    world: World, gateway: GatewayProcess
) -> None:
    account = await world.account()
    people = await world.people(2)
    people[0] = {**people[0], "first_name": ""}
    _, jobs = await world.broadcast(account, people, "{{first_name}}")
    events = await world.settled(jobs)
    assert [events[job.job_id].state.value for job in jobs] == ["failed", "sent"]


async def _dead_letter(world: World, payload: bytes) -> dict[str, Any] | None:
    js = world.client.jetstream()
    info = await js.stream_info("DEAD_LETTERS")
    for sequence in range(max(1, info.state.first_seq), info.state.last_seq + 1):  # of an empty stream it is 0
        message = await js.get_msg("DEAD_LETTERS", sequence)
        letter: dict[str, Any] = orjson.loads(message.data or b"{}")
        if base64.b64decode(letter["payload_base64"]) == payload:
            return letter
    return None


async def test_garbage_among_the_jobs_is_put_aside(world: World, gateway: GatewayProcess) -> None:
    account = await world.account()
    people = await world.people(4)
    campaign = await world.campaign(account)
    jobs = world.jobs(account, campaign, await world.contacts(campaign, people))
    await world.publish(jobs[:2])
    await world.publisher.publish([Outgoing(jobs[0].subject, b"\xff not a job")])
    foreign = jobs[0].model_copy(update={"account_id": account.id + 1})
    await world.publisher.publish([Outgoing(jobs[0].subject, foreign.model_dump_json().encode())])
    await world.publish(jobs[2:])
    await world.settled(jobs)
    await world.queue_is_empty(jobs[0].campaign_id)
    letter = await eventually(lambda: _dead_letter(world, b"\xff not a job"))
    assert letter["stream"] == "SEND_JOBS"
    assert "no send job" in letter["reason"]
    assert await _dead_letter(world, foreign.model_dump_json().encode())


async def test_garbage_among_the_commands_is_put_aside(world: World, gateway: GatewayProcess) -> None:
    await world.publisher.publish([Outgoing("account.command.code.1.1", b"[]")])
    letter = await eventually(lambda: _dead_letter(world, b"[]"))
    assert letter["stream"] == "ACCOUNT_COMMANDS"


async def test_what_was_decided_is_told_again_when_its_job_comes_again(world: World, gateway: GatewayProcess) -> None:
    account = await world.account()
    _, jobs = await world.broadcast(account, await world.people(1))
    (first,) = (await world.settled(jobs)).values()
    world.events.clear()
    await world.publish(jobs)
    (again,) = (await world.settled(jobs)).values()
    assert again == first


async def test_what_a_dead_process_left_open_of_a_stopped_campaign_is_settled(
    world: World, gateway: GatewayProcess
) -> None:
    """The dispatcher gives such jobs again; one was accepted in fact, the other never left."""
    account = await world.account()
    campaign, jobs = await world.broadcast(account, await world.people(2))
    await world.settled(jobs)
    await world.queue_is_empty(campaign)
    await world.move(campaign, "stop")
    await world.sql.execute(
        "update telegram.sends set state = 'sending', decided_at = null, telegram_message_id = null,"
        " body = case when job_id = $2 then 'Never sent' else body end where campaign_id = $1",
        campaign, jobs[1].job_id,
    )  # fmt: skip
    world.events.clear()
    await world.publish(jobs)
    events = await world.settled(jobs)
    assert events[jobs[0].job_id].state == "sent"
    assert events[jobs[0].job_id].telegram_message_id is not None
    assert events[jobs[1].job_id].state == "discarded"
    await world.queue_is_empty(campaign)


async def test_a_bot_answers_people_who_wrote_to_it(world: World, gateway: GatewayProcess) -> None:
    account = await world.account(kind="bot")
    people = await world.people(2)
    await world.sandbox.post(f"/users/{people[0]['id']}/messages", {"to_id": account.person["id"], "text": "/start"})
    _, jobs = await world.broadcast(account, people)
    events = await world.settled(jobs)
    assert [events[job.job_id].state.value for job in jobs] == ["sent", "failed"]


async def test_peer_flood_rests_the_account_and_keeps_the_jobs(world: World, gateway: GatewayProcess) -> None:
    account = await world.account()
    await _fault(world, account, after=1, action={"error": "PEER_FLOOD"})
    campaign, jobs = await world.broadcast(account, await world.people(4))
    reason = await world.reaches(account.id, "backing_off")
    assert reason is not None
    assert reason.startswith("PEER_FLOOD")
    seconds = await world.sql.fetchval(
        "select extract(epoch from backing_off_until - now())::int from control.telegram_accounts where id = $1",
        account.id,
    )
    assert 3500 < seconds <= 3600
    await eventually(lambda: len(world.final(jobs)) == 1)

    async def acknowledged() -> bool:
        return await world.jobs_left(campaign) == 3

    await eventually(acknowledged)
    assert {event.state.value for event in world.final(jobs).values()} == {"sent"}


async def test_a_forgotten_random_id_is_looked_up(world: World, own_gateway: Callable[..., GatewayProcess]) -> None:
    """A Telegram that remembers nothing at all: only the chat can tell."""
    await world.sandbox.put("/settings", random_id_memory_seconds=0)
    account = await world.account()
    await _fault(world, account, after=1, times=3, action={"drop": "after"})
    await own_gateway(random_id_trust_seconds=0.001).start()
    _, jobs = await world.broadcast(account, await world.people(15))
    events = await world.settled(jobs, 30)
    texts = await _texts(world, account)
    await world.sandbox.put("/settings", random_id_memory_seconds=5)
    assert len(texts) == len(set(texts)) == 15
    assert {event.state for event in events.values()} == {"sent"}
    assert await world.wire(account, "messages.getHistory")


async def test_no_answer_on_a_live_connection(world: World, own_gateway: Callable[..., GatewayProcess]) -> None:
    account = await world.account()
    await _fault(world, account, after=1, times=2, action={"silent": True})
    await own_gateway(telegram_timeout_seconds=0.7).start()
    _, jobs = await world.broadcast(account, await world.people(6))
    events = await world.settled(jobs, 30)
    texts = await _texts(world, account)
    assert len(texts) == len(set(texts)) == 6
    assert {event.state for event in events.values()} == {"sent"}


async def test_stopped_while_the_outcome_is_unknown(world: World, own_gateway: Callable[..., GatewayProcess]) -> None:
    """What Telegram has is told as sent, what it has not is discarded."""
    account = await world.account()
    gateway = own_gateway()
    await gateway.start()

    async def connected() -> bool:
        return len(await world.wire(account, "updates.getState")) > 1

    await eventually(connected)
    # The answer is lost, and Telegram lets the account in again only after the campaign was stopped.
    await _fault(world, account, action={"drop": "after"}, times=1)
    closed = {"name": "closed", "account_id": account.person["id"], "method": "help.getConfig"}
    await world.sandbox.post("/faults", {**closed, "action": {"drop": "before"}})
    campaign, jobs = await world.broadcast(account, await world.people(1))

    async def on_the_wire() -> bool:
        return bool(await _texts(world, account))

    await eventually(on_the_wire)
    await world.move(campaign, "stop")
    await world.sandbox.request("DELETE", "/faults")
    (event,) = (await world.settled(jobs, 20)).values()
    assert event.state == "sent"
    assert event.telegram_message_id is not None
