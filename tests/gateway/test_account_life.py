"""What ends an account keeps its jobs, and connecting it again goes on with them."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from relaygram_common.contracts.jobs import SendJob
from tests.gateway.gateways import GatewayProcess
from tests.gateway.world import Account, World
from tests.support.waiting import eventually


@pytest.fixture(autouse=True)
async def _no_faults_left(world: World) -> Any:
    yield
    await world.sandbox.request("DELETE", "/faults")


async def _connect_again(world: World, account: Account, kind: str, secret: str) -> None:
    """As POST /telegram-accounts/{id}/connect does it."""
    await world.sql.fetchrow(
        "select * from control.account_transition($1, $2, 'new', null)", world.workspace, account.id
    )
    await world.sql.execute("delete from control.login_secrets where account_id = $1", account.id)
    await world.secret(account.id, kind, secret)


async def _campaign(world: World, campaign: int) -> tuple[str, str | None]:
    row = await world.sql.fetchrow("select status, status_reason from control.campaigns where id = $1", campaign)
    assert row is not None
    return row["status"], row["status_reason"]


async def _told(world: World, account: Account) -> list[tuple[str, str | None]]:
    """The public events of the account: kind and reason."""
    rows = await world.sql.fetch(
        "select body from control.outbox where subject like 'account.event.%.' || $1::text order by id", str(account.id)
    )
    return [(row["body"]["kind"], row["body"]["reason"]) for row in rows]


async def _ended(world: World, account: Account, error: str, people: int = 14) -> tuple[int, list[SendJob], str]:
    """Telegram ends the account in the middle of a broadcast; the reason shown."""
    rule = {"name": f"end of {account.id}", "account_id": account.person["id"], "method": "messages.sendMessage"}
    action: dict[str, Any] = {"revoke_session": True} if error == "revoked in fact" else {"error": error}
    await world.sandbox.post("/faults", {**rule, "after": 5, "action": action})
    campaign, jobs = await world.broadcast(account, await world.people(people))
    reason = await world.reaches(account.id, "disabled")
    assert reason is not None
    await world.sandbox.request("DELETE", "/faults")
    return campaign, jobs, reason


async def _each_once(world: World, account: Account, jobs: list[SendJob]) -> None:
    events = await world.settled(jobs, 60)
    assert {event.state for event in events.values()} == {"sent"}
    texts = [one["text"] for one in await world.accepted(account)]
    assert len(texts) == len(set(texts)) == len(jobs)
    await world.queue_is_empty(jobs[0].campaign_id)


@pytest.mark.parametrize(
    ("error", "says"),
    [
        ("AUTH_KEY_UNREGISTERED", "Telegram has ended this log-in; log the account in again."),
        ("SESSION_REVOKED", "Telegram has ended this log-in; log the account in again."),
        ("USER_DEACTIVATED_BAN", "Telegram has banned this account."),
        ("AUTH_KEY_DUPLICATED", "The log-in was used in two places at once"),
        ("revoked in fact", "Telegram has ended this log-in; log the account in again."),
    ],
)
async def test_an_ended_account_keeps_its_jobs_and_goes_on_when_connected_again(
    world: World, gateway: GatewayProcess, error: str, says: str
) -> None:
    account = await world.account(limits={"messages_per_second": 10})
    campaign, jobs, reason = await _ended(world, account, error)
    assert reason.startswith(says)
    assert await _campaign(world, campaign) == ("paused", "account_down")
    assert await world.jobs_left(campaign) >= 8
    assert "failed" not in {event.state.value for event in world.final(jobs).values()}
    assert (await _told(world, account))[-1] == ("disabled", reason)

    await _connect_again(world, account, "session_string", await world.sandbox.session_of(account.person))
    assert await world.reaches(account.id, "active") is None
    assert (await _told(world, account))[-1] == ("connected", None)
    assert await _campaign(world, campaign) == ("running", None)
    await _each_once(world, account, jobs)


@pytest.mark.faults
async def test_connecting_again_by_code_over_a_kill(
    world: World, gateway: GatewayProcess, own_gateway: Callable[..., GatewayProcess]
) -> None:
    phone = "+4917055501"
    account = await world.account(limits={"messages_per_second": 10}, phone=phone, password="sesame")
    campaign, jobs, _ = await _ended(world, account, "SESSION_REVOKED")
    await _connect_again(world, account, "phone", phone)
    await world.reaches(account.id, "code_required")
    await gateway.kill()
    await gateway.start()
    await world.secret(account.id, "code", str((await world.sandbox.get(f"/login-codes/{phone}"))["code"]))
    await world.reaches(account.id, "password_required")
    await gateway.kill()
    await gateway.start()
    assert await _campaign(world, campaign) == ("paused", "account_down")
    await world.secret(account.id, "password", "sesame")
    await world.reaches(account.id, "active")
    await _each_once(world, account, jobs)


async def test_a_bot_is_connected_again_by_its_token(world: World, gateway: GatewayProcess) -> None:
    token = f"123457:{uuid4().hex}abc"
    account = await world.account(kind="bot", bot_token=token)
    people = await world.people(3)
    for person in people:
        await world.sandbox.post(f"/users/{person['id']}/messages", {"to_id": account.person["id"], "text": "/start"})
    rule = {"name": "end of bot", "account_id": account.person["id"], "method": "messages.sendMessage"}
    await world.sandbox.post("/faults", {**rule, "action": {"error": "AUTH_KEY_UNREGISTERED"}})
    _, jobs = await world.broadcast(account, people)
    await world.reaches(account.id, "disabled")
    await world.sandbox.request("DELETE", "/faults")
    await _connect_again(world, account, "bot_token", token)
    await world.reaches(account.id, "active")
    await _each_once(world, account, jobs)


async def test_another_person_s_log_in_is_refused(world: World, gateway: GatewayProcess) -> None:
    account = await world.account()
    campaign, jobs, _ = await _ended(world, account, "SESSION_REVOKED")
    says = "This log-in belongs to another Telegram account than before: connect it as an account of its own."

    other = await world.sandbox.person(phone="+4917055502")
    await _connect_again(world, account, "session_string", await world.sandbox.session_of(other))
    assert await world.reaches(account.id, "disabled") == says

    await _connect_again(world, account, "phone", "+4917055502")
    await world.reaches(account.id, "code_required")
    code = (await world.sandbox.get("/login-codes/+4917055502"))["code"]
    await world.secret(account.id, "code", str(code))
    assert await world.reaches(account.id, "disabled") == says
    # The log-in that was made for it is not left behind at Telegram.
    assert await world.wire(Account(account.id, other), "auth.logOut")

    assert await _campaign(world, campaign) == ("paused", "account_down")
    assert await world.accepted(Account(account.id, other)) == []
    row = await world.sql.fetchrow("select * from control.telegram_accounts where id = $1", account.id)
    assert row is not None
    assert row["telegram_user_id"] == account.person["id"]
    await _connect_again(world, account, "session_string", await world.sandbox.session_of(account.person))
    await world.reaches(account.id, "active")
    await _each_once(world, account, jobs)


async def test_a_session_is_never_used_twice(world: World, gateway: GatewayProcess) -> None:
    """Telegram would end it for both: the second account is refused before it says a word."""
    before = (await world.sandbox.get("/stats"))["refused"].get("AUTH_KEY_DUPLICATED", 0)
    person = await world.sandbox.person(username=f"once_{uuid4().hex[:8]}")
    session = await world.sandbox.session_of(person)
    first = await world.new_account(limits={"messages_per_second": 20})
    await world.secret(first, "session_string", session)
    await world.reaches(first, "active")
    account = Account(first, person)
    _, jobs = await world.broadcast(account, await world.people(40))
    await eventually(lambda: world.final(jobs))

    second = await world.new_account()
    await world.secret(second, "session_string", session)
    reason = await world.reaches(second, "disabled")
    assert reason is not None
    assert reason.startswith("Another account here uses this session")
    await _each_once(world, account, jobs)
    assert await world.reaches(first, "active") is None
    assert (await world.sandbox.get("/stats"))["refused"].get("AUTH_KEY_DUPLICATED", 0) == before


async def test_an_account_that_has_nothing_to_send_is_known_to_have_ended(
    world: World, own_gateway: Callable[..., GatewayProcess]
) -> None:
    mine = own_gateway(catch_up_seconds=1)
    await mine.start()
    account = await world.account()
    campaign = await world.campaign(account)

    async def connected() -> bool:
        return bool(await world.wire(account, "updates.getState"))

    await eventually(connected)
    rule = {"name": "end", "account_id": account.person["id"], "method": "updates.getState", "times": 1}
    await world.sandbox.post("/faults", {**rule, "action": {"revoke_session": True}})
    await world.reaches(account.id, "disabled")
    assert await _campaign(world, campaign) == ("paused", "account_down")


async def test_content_that_fails_for_everybody_is_told_with_the_campaign(
    world: World, gateway: GatewayProcess
) -> None:
    """The pause, its reason, the doorbell and the public event; after the edit the rest goes out."""
    account = await world.account(limits={"messages_per_second": 5})
    rule = {"name": "content", "account_id": account.person["id"], "method": "messages.sendMessage"}
    await world.sandbox.post("/faults", {**rule, "action": {"error": "ENTITY_BOUNDS_INVALID"}})
    campaign, jobs = await world.broadcast(account, await world.people(20))

    async def paused() -> bool:
        return await _campaign(world, campaign) == ("paused", "content_error")

    await eventually(paused)
    rows = await world.sql.fetch(
        "select body from control.outbox where subject like 'campaign.event.%.paused.' || $1::text", str(campaign)
    )
    assert [(row["body"]["reason"], row["body"]["actor"]) for row in rows] == [("content_error", "gateway")]
    await eventually(lambda: world.final(jobs))

    async def nothing_is_on_its_way() -> bool:
        under_way = "select count(*) from telegram.sends where campaign_id = $1 and state = 'sending'"
        return int(await world.sql.fetchval(under_way, campaign)) == 0

    await eventually(nothing_is_on_its_way, what="what was begun with the old text is refused")
    await world.sandbox.request("DELETE", "/faults")
    await world.sql.execute("update control.campaigns set body = 'Mended {{first_name}}' where id = $1", campaign)
    await world.move(campaign, "start")
    events = await world.settled(jobs, 30)
    failed = [event for event in events.values() if event.state.value == "failed"]
    assert 1 <= len(failed) < 10
    assert {event.error.code for event in failed if event.error} == {"INVALID_CONTENT"}
    assert all(event.error and "ENTITY_BOUNDS_INVALID" in event.error.message for event in failed)
    texts = [one["text"] for one in await world.accepted(account)]
    assert len(texts) == 20 - len(failed)
    assert all(text.startswith("Mended") for text in texts)
