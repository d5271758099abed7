"""Logging in: each step shown, wrong answers told in plain words, half-way states kept over a restart."""

from collections.abc import Callable
from uuid import uuid4

from tests.gateway.gateways import GatewayProcess
from tests.gateway.world import World
from tests.support.waiting import eventually


async def _code(world: World, phone: str) -> str:
    return str((await world.sandbox.get(f"/login-codes/{phone}"))["code"])


async def test_phone_and_code(world: World, gateway: GatewayProcess) -> None:
    person = await world.sandbox.person(phone="+4917000001", username="code_person")
    account = await world.new_account()
    await world.secret(account, "phone", "+4917000001")
    await world.reaches(account, "code_required")
    code = await _code(world, "+4917000001")

    await world.secret(account, "code", "00000" if code != "00000" else "11111")

    async def told() -> bool:
        return (await world.status(account))[1] is not None

    await eventually(told)
    assert await world.status(account) == ("code_required", "That code is wrong: check it and enter it again.")
    await world.secret(account, "code", code)
    assert await world.reaches(account, "active") is None
    row = await world.sql.fetchrow("select * from control.telegram_accounts where id = $1", account)
    assert row is not None
    assert (row["telegram_user_id"], row["handle"]) == (person["id"], "code_person")

    async def secrets() -> bool:
        return bool(await world.sql.fetch("select from control.login_secrets where account_id = $1", account))

    await eventually(lambda: _not(secrets()))
    sealed = await world.sql.fetchval("select sealed from telegram.sessions where account_id = $1", account)
    assert world.sealer.open(sealed, owner=f"session:{account}").startswith("1")


async def _not(answer: object) -> bool:
    return not await answer  # type: ignore[misc]


async def test_code_and_password_over_a_restart(
    world: World, gateway: GatewayProcess, own_gateway: Callable[..., GatewayProcess]
) -> None:
    await world.sandbox.person(phone="+4917000002", password="open sesame")
    account = await world.new_account()
    await world.secret(account, "phone", "+4917000002")
    await world.reaches(account, "code_required")
    await gateway.stop()  # what is half way must not be lost with it
    await gateway.start()
    await world.secret(account, "code", await _code(world, "+4917000002"))
    await world.reaches(account, "password_required")
    await world.secret(account, "password", "wrong")

    async def told() -> bool:
        return (await world.status(account))[1] is not None

    await eventually(told)
    assert await world.status(account) == ("password_required", "That password is wrong: enter it again.")
    await world.secret(account, "password", "open sesame")
    await world.reaches(account, "active")


async def test_a_bot(world: World, gateway: GatewayProcess) -> None:
    token = f"123456:{uuid4().hex}abc"
    bot = await world.sandbox.person(bot_token=token, username="nice_bot")
    account = await world.new_account(kind="bot")
    await world.secret(account, "bot_token", token)
    await world.reaches(account, "active")
    row = await world.sql.fetchrow("select * from control.telegram_accounts where id = $1", account)
    assert row is not None
    assert row["telegram_user_id"] == bot["id"]


async def test_a_wrong_bot_token_is_told(world: World, gateway: GatewayProcess) -> None:
    account = await world.new_account(kind="bot")
    await world.secret(account, "bot_token", "1:nothing")
    assert await world.reaches(account, "disabled") == "Telegram does not know this bot token."


async def test_a_session_string(world: World, gateway: GatewayProcess) -> None:
    person = await world.sandbox.person(username="has_session")
    account = await world.new_account()
    await world.secret(account, "session_string", await world.sandbox.session_of(person))
    await world.reaches(account, "active")

    broken = await world.new_account()
    await world.secret(broken, "session_string", "1nonsense")
    assert await world.reaches(broken, "disabled") == "This is not a session string of Telethon."


async def test_an_unknown_phone_is_told_after_the_code(world: World, gateway: GatewayProcess) -> None:
    account = await world.new_account()
    await world.secret(account, "phone", "+4917000009")
    await world.reaches(account, "code_required")
    await world.secret(account, "code", await _code(world, "+4917000009"))
    assert await world.reaches(account, "disabled") == "There is no Telegram account with this phone number."


async def test_asking_for_another_code(world: World, gateway: GatewayProcess) -> None:
    await world.sandbox.person(phone="+4917000003")
    account = await world.new_account()
    await world.secret(account, "phone", "+4917000003")
    await world.reaches(account, "code_required")
    first = await _code(world, "+4917000003")
    await world.sql.fetchrow("select * from control.account_transition($1, $2, 'new', null)", world.workspace, account)

    async def another() -> bool:
        return await _code(world, "+4917000003") != first

    await eventually(another)
    await world.reaches(account, "code_required")
    await world.secret(account, "code", await _code(world, "+4917000003"))
    await world.reaches(account, "active")


async def test_a_step_is_done_once_though_the_row_is_read_meanwhile(world: World, gateway: GatewayProcess) -> None:
    """A second code, asked for on the strength of an old reading, would make the first one worthless."""
    await world.sandbox.person(phone="+4917000004")
    before = await _codes_asked_for(world)
    # Long enough for the account's row to be read while Telegram is being asked.
    slow = {"name": "slow codes", "method": "auth.sendCode", "times": 1, "action": {"delay_seconds": 2.5}}
    await world.sandbox.post("/faults", slow)
    account = await world.new_account()
    await world.secret(account, "phone", "+4917000004")
    await world.reaches(account, "code_required")
    await world.secret(account, "code", await _code(world, "+4917000004"))
    await world.reaches(account, "active")
    assert await _codes_asked_for(world) == before + 1


async def _codes_asked_for(world: World) -> int:
    wire = await world.sandbox.get("/wire?limit=10000")
    return sum(1 for attempt in wire if attempt["method"] == "auth.sendCode")


async def test_deleting_an_account_logs_it_out(world: World, gateway: GatewayProcess) -> None:
    account = await world.account()
    await world.sql.execute("update control.telegram_accounts set deleted_at = now() where id = $1", account.id)

    async def gone() -> bool:
        left = await world.sql.fetchval("select count(*) from telegram.sessions where account_id = $1", account.id)
        return left == 0 and bool(await world.wire(account, "auth.logOut"))

    await eventually(gone)


async def test_an_account_that_waits_to_log_in_can_be_deleted(world: World, gateway: GatewayProcess) -> None:
    """Telegram asks for patience before it sends a code, by the hour at times."""
    rule = {"name": "patience", "method": "auth.sendCode", "times": 1, "action": {"error": "FLOOD_WAIT_5000"}}
    before = await _codes_asked_for(world)
    await world.sandbox.post("/faults", rule)
    account = await world.new_account()
    await world.secret(account, "phone", "+4917000077")

    async def asked() -> bool:
        return await _codes_asked_for(world) == before + 1

    await eventually(asked)
    await world.sql.execute("update control.telegram_accounts set deleted_at = now() where id = $1", account)

    async def gone() -> bool:
        secrets = await world.sql.fetchval("select count(*) from control.login_secrets where account_id = $1", account)
        return bool(secrets == 0)

    await eventually(gone, 10)


async def test_a_revoked_session_disables_the_account(world: World, gateway: GatewayProcess) -> None:
    account = await world.account()
    people = await world.people(1)
    await world.sandbox.post(
        "/faults",
        {"name": "revoke", "account_id": account.person["id"], "method": "messages.sendMessage", "times": 1,
         "action": {"revoke_session": True}},
    )  # fmt: skip
    await world.broadcast(account, people)
    assert await world.reaches(account.id, "disabled") == ("Telegram has ended this log-in; log the account in again.")
