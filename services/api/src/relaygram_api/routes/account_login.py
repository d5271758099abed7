"""The steps of a log-in that a person answers: the code, the password, another code."""

from typing import Annotated, Any

from fastapi import APIRouter, Response
from pydantic import StrictStr, StringConstraints

from relaygram_api.account_view import hand_over, shown_account
from relaygram_api.adapters import pg_accounts
from relaygram_api.adapters.pg_workspace import Connection
from relaygram_api.change import changing
from relaygram_api.checked_route import PREFIX, CheckedRoute, caller_with, concerns
from relaygram_api.core.account_login import CredentialError, login_code
from relaygram_api.errors import conflict, invalid, not_found
from relaygram_api.fields import Body
from relaygram_api.parts import Caller, FromParts
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


class Password(Body):
    """The account's two-step password."""

    password: Secret


@router.post(
    "/{account_id:id}/code",
    operation_id="enter_telegram_code",
    **_STEP,
)
@concerns(_about_an_account)
async def enter_code(account_id: int, body: Code, caller: Writer, parts: FromParts) -> Response:
    """Enter the code; a wrong one shows as `status_reason`."""
    async with changing(parts, caller) as change:
        connection = change.connection
        status = await _locked_status(connection, account_id)
        try:
            code = login_code(body.code)
        except CredentialError as error:
            raise invalid({error.field: [error.problem]}) from None
        _demand(status, "code_required", "a code")
        await hand_over(connection, parts, caller, account_id, "code", code, verb="code")
        shown = await shown_account(connection, account_id)
        return change.answer(shown, status=202)


@router.post(
    "/{account_id:id}/password",
    operation_id="enter_telegram_password",
    **_STEP,
)
@concerns(_about_an_account)
async def enter_password(account_id: int, body: Password, caller: Writer, parts: FromParts) -> Response:
    """Enter the two-step password; a wrong one shows as `status_reason`."""
    async with changing(parts, caller) as change:
        connection = change.connection
        _demand(await _locked_status(connection, account_id), "password_required", "a password")
        await hand_over(connection, parts, caller, account_id, "password", body.password, verb="password")
        shown = await shown_account(connection, account_id)
        return change.answer(shown, status=202)


@router.post(
    "/{account_id:id}/resend-code",
    operation_id="resend_telegram_code",
    **_STEP,
)
async def resend_code(account_id: int, caller: Writer, parts: FromParts) -> Response:
    """Ask Telegram for another code."""
    async with changing(parts, caller) as change:
        connection = change.connection
        # Not locked: the transition locks the account's campaigns first, as every other does.
        _demand((await shown_account(connection, account_id))["status"], "code_required", "a code")
        await pg_accounts.begin_login_again(connection, caller.workspace_id, account_id)
        shown = await shown_account(connection, account_id)
        return change.answer(shown, status=202)


async def _locked_status(connection: Connection, account_id: int) -> str:
    account = await pg_accounts.lock(connection, account_id)
    if account is None:
        raise not_found("Telegram account")
    status: str = account["status"]
    return status


def _demand(status: str, wanted: str, what: str) -> None:
    if status != wanted:
        raise conflict("not_asked_for", f"Telegram does not ask for {what} now: the account is {status}.")
