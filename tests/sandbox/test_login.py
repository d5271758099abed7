"""Logging in: by code, with a password, as a bot, with a ready session; and out."""

from typing import Any

import pytest
from telethon import errors, functions
from telethon.network import connection

from tests.sandbox.support import SandboxProcess

PHONE = "+15550100"


async def _code(sandbox: SandboxProcess, client: Any, phone: str = PHONE) -> str:
    await client.send_code_request(phone)
    return str((await sandbox.get(f"/login-codes/{phone}"))["code"])


@pytest.mark.parametrize(
    "transport",
    [
        connection.ConnectionTcpFull,
        connection.ConnectionTcpAbridged,
        connection.ConnectionTcpIntermediate,
        connection.ConnectionTcpObfuscated,
    ],
)
async def test_a_code_logs_in_over_every_transport(sandbox: SandboxProcess, transport: type) -> None:
    person = await sandbox.person(phone=PHONE, first_name="Ann")
    async with sandbox.connected(connection=transport) as client:
        me = await client.sign_in(PHONE, await _code(sandbox, client))
        assert (me.id, me.first_name, me.phone) == (person["id"], "Ann", PHONE[1:])
        assert await client.is_user_authorized()


async def test_a_wrong_code_is_refused_and_the_right_one_still_works(sandbox: SandboxProcess) -> None:
    await sandbox.person(phone=PHONE)
    async with sandbox.connected() as client:
        code = await _code(sandbox, client)
        with pytest.raises(errors.PhoneCodeInvalidError):
            await client.sign_in(PHONE, code[::-1] if code != code[::-1] else "00001")
        assert await client.get_me() is None
        await client.sign_in(PHONE, code)


async def test_a_password_is_asked_for_and_checked(sandbox: SandboxProcess) -> None:
    person = await sandbox.person(phone=PHONE, password="correct horse")
    async with sandbox.connected() as client:
        with pytest.raises(errors.SessionPasswordNeededError):
            await client.sign_in(PHONE, await _code(sandbox, client))
        with pytest.raises(errors.PasswordHashInvalidError):
            await client.sign_in(password="wrong")
        assert (await client.sign_in(password="correct horse")).id == person["id"]


async def test_phones_nobody_has_cannot_log_in(sandbox: SandboxProcess) -> None:
    async with sandbox.connected() as client:
        with pytest.raises(errors.PhoneNumberUnoccupiedError):
            await client.sign_in(PHONE, await _code(sandbox, client))
        with pytest.raises(errors.PhoneNumberInvalidError):
            await client.send_code_request("12")


async def test_a_bot_logs_in_with_its_token_only(sandbox: SandboxProcess) -> None:
    bot = await sandbox.person(bot_token="4711:secret", username="helpful_bot")
    assert bot["id"] == 4711
    async with sandbox.connected() as client:
        with pytest.raises(errors.AccessTokenInvalidError):
            await client.sign_in(bot_token="4711:wrong")
        me = await client.sign_in(bot_token="4711:secret")
        assert me.bot
        assert me.id == bot["id"]


async def test_logging_out_ends_the_session(sandbox: SandboxProcess) -> None:
    person = await sandbox.person()
    session = await sandbox.session_of(person)
    client = sandbox.client(session)
    await client.connect()
    assert await client.log_out()
    async with sandbox.connected(session) as again:
        with pytest.raises(errors.AuthKeyUnregisteredError):
            await again(functions.updates.GetStateRequest())


async def test_a_deactivated_account_can_do_nothing_any_more(sandbox: SandboxProcess) -> None:
    async with sandbox.account() as client:
        await sandbox.request("PATCH", f"/users/{client.profile['id']}", json={"state": "deactivated"})
        with pytest.raises(errors.UserDeactivatedBanError):
            await client(functions.updates.GetStateRequest())


async def test_an_unknown_key_is_told_so(sandbox: SandboxProcess) -> None:
    session = await sandbox.session_of(await sandbox.person())
    client = sandbox.client(session[:20] + session[20:350][::-1] + session[350:])
    with pytest.raises(errors.AuthKeyNotFound):
        await client.connect()
    with pytest.raises(errors.AuthKeyNotFound):
        await client.disconnected
    await client.disconnect()
