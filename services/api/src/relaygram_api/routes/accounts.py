"""Telegram accounts: connecting them, their limits, logging out."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from pydantic import Field, StrictStr, StringConstraints, WithJsonSchema

from relaygram_api.account_view import checked, hand_over, shown_account, with_handle
from relaygram_api.adapters import pg_accounts
from relaygram_api.adapters.pg_workspace import Connection
from relaygram_api.answers import answer, page_answer
from relaygram_api.change import changing
from relaygram_api.checked_route import PREFIX, CheckedRoute, caller_with, concerns
from relaygram_api.core.account_connection import connection_problems
from relaygram_api.core.account_limits import default_limits, limit_problems, limits_schema, merge_limits
from relaygram_api.core.account_login import account_credential
from relaygram_api.core.cursors import encode_cursor, listing
from relaygram_api.errors import invalid, not_found
from relaygram_api.fields import Body, Name, Page, PerPage, QueryText, offset_of
from relaygram_api.paging import place_of
from relaygram_api.parts import Caller, FromParts, Parts
from relaygram_api.schemas.accounts import TelegramAccount
from relaygram_api.schemas.envelopes import Many, One
from relaygram_api.things import exists

router = APIRouter(prefix=f"{PREFIX}/telegram-accounts", route_class=CheckedRoute, tags=["Telegram accounts"])
_CAP = 100
_LISTING = listing("telegram-accounts")
_about_an_account = exists("account_id", "account_exists", "Telegram account")

Reader = Annotated[Caller, caller_with("accounts:read")]
Writer = Annotated[Caller, caller_with("accounts:write")]
Secret = Annotated[StrictStr, StringConstraints(min_length=1, max_length=4096)]
ApiId = Annotated[int, Field(strict=True, ge=1, le=2**31 - 1)]
_PROXY = "`socks5://user:password@host:port` or `http://…`. Never shown again."
# Checked by core.account_limits, which knows what may be null where.
LimitsChange = Annotated[dict[str, Any], WithJsonSchema(limits_schema())]


class AccountCreate(Body):
    """A user by `phone` or `session_string`, or a bot by `bot_token`."""

    kind: Literal["user", "bot"]
    name: Name | None = None
    phone: Secret | None = None
    bot_token: Secret | None = None
    session_string: Secret | None = None
    api_id: ApiId | None = Field(default=None, description="Of your own Telegram application; with `api_hash`.")
    api_hash: Secret | None = None
    proxy: Secret | None = Field(default=None, description=_PROXY)


class AccountChange(Body):
    """Only the keys given change, in `limits` too."""

    name: Name | None = None
    limits: LimitsChange | None = None
    proxy: Secret | None = Field(default=None, description=f"{_PROXY} null: the installation's.")


@router.get("", operation_id="list_telegram_accounts", response_model=Many[TelegramAccount])
async def list_accounts(
    caller: Reader,
    parts: FromParts,
    page: Annotated[Page, Query()] = 1,
    per_page: Annotated[PerPage, Query(description=f"Cut to {_CAP}.")] = 25,
    cursor: Annotated[QueryText | None, Query(description="`meta.cursor.next` of the page before.")] = None,
) -> Response:
    """All accounts of the workspace, in the order they were made."""
    per_page, after = min(per_page, _CAP), place_of(cursor, _LISTING, page) or 0
    offset = offset_of(page, per_page)
    async with parts.database.workspace(caller.workspace_id) as connection:
        total = await pg_accounts.count(connection)
        # One row more than is shown tells whether there is a next page.
        rows = await pg_accounts.page(connection, after=after, limit=per_page + 1, offset=offset)
    shown = [with_handle(row) for row in rows[:per_page]]
    following = encode_cursor(_LISTING, shown[-1]["id"]) if len(rows) > per_page else None
    return page_answer(shown, page=page, per_page=per_page, total=total, cursor={"next": following})


@router.post("", status_code=202, operation_id="connect_telegram_account", response_model=One[TelegramAccount])
async def connect_account(body: AccountCreate, caller: Writer, parts: FromParts) -> Response:
    """Connect an account; a gateway takes it on, and `status` tells what is needed next."""
    secret_kind, secret = checked(
        lambda: account_credential(
            body.kind, phone=body.phone, bot_token=body.bot_token, session_string=body.session_string
        )
    )
    if problems := connection_problems(body.api_id, body.api_hash, body.proxy):
        raise invalid(problems)
    limits = default_limits(body.kind, sandbox=_has_sandbox(parts))
    async with changing(parts, caller) as change:
        connection = change.connection
        account_id = await pg_accounts.create(
            connection, caller.workspace_id, name=body.name, kind=body.kind, limits=limits
        )
        await _keep_connection(connection, parts, caller, account_id, body)
        await hand_over(connection, parts, caller, account_id, secret_kind, secret, verb="connect")
        shown = await shown_account(connection, account_id)
        return change.answer(shown, status=202)


@router.get("/{account_id:id}", operation_id="get_telegram_account", response_model=One[TelegramAccount])
async def get_account(account_id: int, caller: Reader, parts: FromParts) -> Response:
    """One account."""
    async with parts.database.workspace(caller.workspace_id) as connection:
        return answer(await shown_account(connection, account_id))


@router.patch("/{account_id:id}", operation_id="update_telegram_account", response_model=One[TelegramAccount])
@concerns(_about_an_account)
async def update_account(account_id: int, body: AccountChange, caller: Writer, parts: FromParts) -> Response:
    """Change the name, limits or proxy; gateways follow within a second."""
    async with changing(parts, caller) as change:
        connection = change.connection
        account = await pg_accounts.lock(connection, account_id)
        if account is None:
            raise not_found("Telegram account")
        limits_given = body.limits or {}
        problems = limit_problems(limits_given, sandbox=_has_sandbox(parts))
        if problems := {**problems, **connection_problems(None, None, body.proxy)}:
            raise invalid(problems)
        name = body.name if "name" in body.model_fields_set else account["name"]
        limits = merge_limits(account["limits"], limits_given)
        await pg_accounts.update(connection, account_id, name=name, limits=limits)
        if "proxy" in body.model_fields_set:
            sealed = _sealed(parts, account_id, "proxy", body.proxy)
            await pg_accounts.set_proxy(connection, caller.workspace_id, account_id, sealed)
        await pg_accounts.ring(connection, caller.workspace_id, account_id, "limits")
        shown = await shown_account(connection, account_id)
        return change.answer(shown)


@router.delete("/{account_id:id}", status_code=204, operation_id="delete_telegram_account")
async def delete_account(account_id: int, caller: Writer, parts: FromParts) -> Response:
    """Log the account out at Telegram and forget it; its running campaigns pause."""
    async with changing(parts, caller) as change:
        connection = change.connection
        if not await pg_accounts.log_out(connection, caller.workspace_id, account_id):
            raise not_found("Telegram account")
        return change.nothing()


async def _keep_connection(
    connection: Connection, parts: Parts, caller: Caller, account_id: int, body: AccountCreate
) -> None:
    if body.api_id is None and body.proxy is None:
        return
    await pg_accounts.put_connection(
        connection,
        caller.workspace_id,
        account_id,
        api_id=body.api_id,
        api_hash_sealed=_sealed(parts, account_id, "api_hash", body.api_hash),
        proxy_sealed=_sealed(parts, account_id, "proxy", body.proxy),
    )


def _sealed(parts: Parts, account_id: int, what: str, text: str | None) -> bytes | None:
    return None if text is None else parts.sealer.seal(text, owner=f"account:{account_id}:{what}")


def _has_sandbox(parts: Parts) -> bool:
    return bool(parts.settings.telegram_sandbox_address)
