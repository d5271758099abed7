"""The steps of a log-in that a person answers: the code, the password, another code; and logging in anew."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Response
from pydantic import StrictStr, StringConstraints

from relaygram_api.account_view import checked, hand_over, shown_account
from relaygram_api.adapters import pg_accounts
from relaygram_api.change import changing
from relaygram_api.checked_route import PREFIX, CheckedRoute, caller_with, concerns
from relaygram_api.core.account_login import account_credential, login_code
from relaygram_api.errors import conflict, not_found
from relaygram_api.fields import Body
from relaygram_api.parts import Caller, FromParts, Parts
from relaygram_api.schemas.accounts import TelegramAccount
from relaygram_api.schemas.envelopes import One
from relaygram_api.things import exists

router = APIRouter(prefix=f"{PREFIX}/telegram-accounts", route_class=CheckedRoute, tags=["Telegram accounts"])
_about_an_account = exists("account_id", "account_exists", "Telegram account")
_STEP: dict[str, Any] = {"status_code": 202, "response_model": One[TelegramAccount], "responses": {409: {}}}

Writer = Annotated[Caller, caller_with("accounts:write")]
Secret = Annotated[StrictStr, StringConstraints(min_length=1, max_length=4096)]


class Code(Body):
    """The code that Telegram sent to the account."""

    code: Secret


class Credential(Body):
    """A user's `phone` or `session_string`, or a bot's `bot_token`."""

    phone: Secret | None = None
    bot_token: Secret | None = None
    session_string: Secret | None = None


class Password(Body):
    """The account's two-step password."""

    password: Secret


@router.post("/{account_id:id}/code", operation_id="enter_telegram_code", **_STEP)
@concerns(_about_an_account)
async def enter_code(account_id: int, body: Code, caller: Writer, parts: FromParts) -> Response:
    """Enter the code; a wrong one shows as `status_reason`."""
    return await _entered(parts, caller, account_id, "code", lambda: login_code(body.code))


@router.post("/{account_id:id}/password", operation_id="enter_telegram_password", **_STEP)
@concerns(_about_an_account)
async def enter_password(account_id: int, body: Password, caller: Writer, parts: FromParts) -> Response:
    """Enter the two-step password; a wrong one shows as `status_reason`."""
    return await _entered(parts, caller, account_id, "password", lambda: body.password)


@router.post("/{account_id:id}/resend-code", operation_id="resend_telegram_code", **_STEP)
async def resend_code(account_id: int, caller: Writer, parts: FromParts) -> Response:
    """Ask Telegram for another code."""
    async with changing(parts, caller) as change:
        connection = change.connection
        # Not locked: the transition locks the account's campaigns first, as every other does.
        _demand((await shown_account(connection, account_id))["status"], "code")
        await pg_accounts.begin_login_again(connection, caller.workspace_id, account_id)
        await pg_accounts.ring(connection, caller.workspace_id, account_id, "resend_code")
        return change.answer(await shown_account(connection, account_id), status=202)


@router.post("/{account_id:id}/connect", operation_id="reconnect_telegram_account", **_STEP)
@concerns(_about_an_account)
async def connect_again(account_id: int, body: Credential, caller: Writer, parts: FromParts) -> Response:
    """Log a disabled account in anew, under the same `id`: its campaigns go on when it is active again."""
    async with changing(parts, caller) as change:
        connection = change.connection
        account = await shown_account(connection, account_id)
        kind, secret = checked(lambda: account_credential(account["kind"], **body.model_dump()))
        is_disabled = account["status"] == "disabled"
        # Of two at once one finds it disabled.
        if not is_disabled or not await pg_accounts.begin_login_again(connection, caller.workspace_id, account_id):
            raise conflict(
                "not_disabled", f"Only a disabled account can be connected again; this one is {account['status']}."
            )
        await pg_accounts.forget_secrets(connection, account_id)
        await hand_over(connection, parts, caller, account_id, kind, secret, verb="connect")
        return change.answer(await shown_account(connection, account_id), status=202)


async def _entered(parts: Parts, caller: Caller, account_id: int, what: str, entered: Callable[[], str]) -> Response:
    """Hand over what Telegram asked for, if it asks for that now."""
    async with changing(parts, caller) as change:
        connection = change.connection
        account = await pg_accounts.lock(connection, account_id)
        if account is None:
            raise not_found("Telegram account")
        secret = checked(entered)
        _demand(account["status"], what)
        await hand_over(connection, parts, caller, account_id, what, secret, verb=what)
        return change.answer(await shown_account(connection, account_id), status=202)


def _demand(status: str, what: str) -> None:
    if status != f"{what}_required":
        raise conflict("not_asked_for", f"Telegram does not ask for a {what} now: the account is {status}.")
