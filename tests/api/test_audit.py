"""GET /audit: a row for every change, by whom, and nothing secret in any."""

import itertools
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import httpx
import pytest
from fastapi.routing import APIRoute

from relaygram_api.adapters.pg_workspace import Author
from relaygram_api.web import create_app
from relaygram_common import identity
from tests.api.support import Api
from tests.support.waiting import eventually

PHONE, CODE, PASSWORD, BOT_TOKEN = (
    "+4915177001234",
    "73519",
    "open-sesame-77",
    "7712345:AAF-secret-of-a-bot_0123456789abcdefg",
)
Call = tuple[str, str, dict[str, Any]]
_numbers = itertools.count()


async def entries(api: Api, **params: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = await api.data("GET", "/audit", params={"per_page": 100, **params})
    return rows


async def of_request(api: Api, answer: httpx.Response) -> list[dict[str, Any]]:
    return [row for row in await entries(api) if row["request_id"] == answer.headers["X-Request-Id"]]


async def own_user(api: Api) -> str:
    return f"user:{(await api.data('GET', '/me'))['id']}"


async def campaign_call(api: Api, method: str, below: str = "", **arguments: Any) -> Call:
    campaign = await api.broadcast(contacts=1)
    return method, f"/campaigns/{campaign['id']}{below}", arguments


async def running_call(api: Api, below: str) -> Call:
    campaign = await api.broadcast(contacts=1)
    await api.call("POST", f"/campaigns/{campaign['id']}/start")
    return "POST", f"/campaigns/{campaign['id']}{below}", {}


async def account_call(api: Api, status: str, method: str, below: str = "", **arguments: Any) -> Call:
    return method, f"/telegram-accounts/{await api.account(status=status)}{below}", arguments


async def login(api: Api) -> Call:
    return "POST", "/login", {"json": {"email": api.email, "password": api.password, "device_name": "x"}}


async def revoke_token(api: Api) -> Call:
    return "DELETE", f"/tokens/{(await api.token_with('*')).partition('|')[0]}", {}


async def create_campaign(api: Api) -> Call:
    body = {"name": "x", "mode": "broadcast", "body": "x", "telegram_account_id": await api.account()}
    return "POST", "/campaigns", {"json": body}


async def remove_contact(api: Api) -> Call:
    campaign = await api.broadcast(contacts=1)
    (contact,) = await api.data("GET", f"/campaigns/{campaign['id']}/senders")
    return "DELETE", f"/campaigns/{campaign['id']}/contacts/{contact['id']}", {}


async def delete_suppression(api: Api) -> Call:
    handle = f"unwilling_{next(_numbers)}"
    await api.call("POST", "/suppressions", json={"handle": handle})
    (row,) = await api.data("GET", "/suppressions", params={"q": handle})
    return "DELETE", f"/suppressions/{row['id']}", {}


async def plain(api: Api, method: str, path: str, **arguments: Any) -> Call:
    return method, path, arguments


CSV = {"headers": {"Content-Type": "text/csv"}}
# One call for each route that changes something: (it, what its first row says).
CHANGES: dict[str, tuple[Callable[[Api], Awaitable[Call]], str, str]] = {
    "login": (login, "created", "token"),
    "create_token": (lambda api: plain(api, "POST", "/tokens", json={"name": "x"}), "created", "token"),
    "revoke_token": (revoke_token, "deleted", "token"),
    "connect_telegram_account": (
        lambda api: plain(api, "POST", "/telegram-accounts", json={"kind": "user", "phone": PHONE}),
        "created", "telegram_account",
    ),
    "update_telegram_account": (
        lambda api: account_call(api, "active", "PATCH", json={"limits": {"messages_per_second": 3}}),
        "changed", "telegram_account",
    ),
    "delete_telegram_account": (lambda api: account_call(api, "active", "DELETE"), "changed", "telegram_account"),
    "enter_telegram_code": (
        lambda api: account_call(api, "code_required", "POST", "/code", json={"code": CODE}),
        "created", "login_secret",
    ),
    "enter_telegram_password": (
        lambda api: account_call(api, "password_required", "POST", "/password", json={"password": PASSWORD}),
        "created", "login_secret",
    ),
    "resend_telegram_code": (
        lambda api: account_call(api, "code_required", "POST", "/resend-code"), "changed", "telegram_account",
    ),
    "reconnect_telegram_account": (
        lambda api: account_call(api, "disabled", "POST", "/connect", json={"phone": PHONE}),
        "changed", "telegram_account",
    ),
    "replace_steps": (
        lambda api: campaign_call(api, "PUT", "/steps", json={"steps": [{"body": "x"}]}), "created", "step",
    ),
    "add_media": (lambda api: plain(api, "POST", "/media", files={"file": ("a.txt", b"hi")}), "created", "media"),
    "create_campaign": (create_campaign, "created", "campaign"),
    "update_campaign": (lambda api: campaign_call(api, "PUT", json={"name": "New"}), "changed", "campaign"),
    "patch_campaign": (lambda api: campaign_call(api, "PATCH", json={"name": "New"}), "changed", "campaign"),
    "delete_campaign": (lambda api: campaign_call(api, "DELETE"), "deleted", "campaign"),
    "start_campaign": (lambda api: campaign_call(api, "POST", "/start"), "changed", "campaign"),
    "pause_campaign": (lambda api: running_call(api, "/pause"), "changed", "campaign"),
    "stop_campaign": (lambda api: running_call(api, "/stop"), "changed", "campaign"),
    "test_campaign": (
        lambda api: campaign_call(api, "POST", "/test", json={"phone": PHONE, "first_name": "Secretive"}),
        "created", "test_send",
    ),
    "import_contacts": (
        lambda api: campaign_call(api, "POST", "/contacts", content=f"phone\n{PHONE}\n".encode(), **CSV),
        "created", "import",
    ),
    "remove_contact": (remove_contact, "deleted", "contact"),
    "suppress_people": (
        lambda api: plain(api, "POST", "/suppressions", json={"phone": PHONE}), "created", "suppression",
    ),
    "delete_suppression": (delete_suppression, "deleted", "suppression"),
    "erase_person": (
        lambda api: plain(api, "POST", "/people/erase", json={"handle": "secretive_1"}), "created", "erasure",
    ),
}  # fmt: skip
# Told elsewhere or nothing to tell: it revokes its own token (below); it changes nothing; the log itself tells; it
# opens what its token may see anyway.
OTHERS = {"logout", "preview_campaign", "search_send_logs", "take_delivery_events", "create_stream_ticket"}


def test_every_route_that_changes_something_is_tried_here() -> None:
    routes = [route for route in create_app(None).routes if isinstance(route, APIRoute) and route.include_in_schema]
    assert {route.operation_id for route in routes if route.methods != {"GET"}} == {*CHANGES, *OTHERS}


@pytest.mark.parametrize("operation", CHANGES)
async def test_each_change_has_its_row(api: Api, operation: str) -> None:
    make, action, kind = CHANGES[operation]
    method, path, arguments = await make(api)
    answer = await api.client.request(method, f"/api/v1{path}", **arguments)
    assert answer.is_success, answer.text
    rows = await of_request(api, answer)
    assert (action, kind) in [(row["action"], row["kind"]) for row in rows], rows
    token_id = int(api.token.partition("|")[0])
    for row in rows:
        assert row["actor"] == await own_user(api)
        assert row["token_id"] == (None if operation == "login" else token_id)


async def test_logging_out_is_told(api: Api) -> None:
    async with api.bearing(await api.token_with("*")) as client:
        answer = await client.post("/api/v1/logout")
    (row,) = await of_request(api, answer)
    assert (row["action"], row["kind"], row["thing_id"]) == ("deleted", "token", row["token_id"])


async def test_a_row_tells_only_what_changed_before_and_after(api: Api) -> None:
    campaign = await api.campaign(name="Old")
    await api.call("PUT", f"/campaigns/{campaign['id']}", json={"name": "New", "reference": "r"})
    changed, created = await entries(api, kind="campaign", thing_id=campaign["id"])
    assert created["before"] is None
    assert created["after"]["name"] == "Old"
    assert "reference" not in created["after"]
    assert changed["before"] == {"name": "Old", "reference": None}
    assert changed["after"] == {"name": "New", "reference": "r"}
    assert set(changed) == {
        "id", "happened_at", "actor", "token_id", "request_id", "action", "kind", "thing_id", "before", "after",
    }  # fmt: skip


async def test_changing_nothing_makes_no_row(api: Api) -> None:
    campaign = await api.broadcast(contacts=2)
    before = await entries(api, kind="campaign", thing_id=campaign["id"])
    assert len(before) == 1, "counting imported contacts is no news of the campaign"
    await api.call("PUT", f"/campaigns/{campaign['id']}", json={"name": campaign["name"]})
    await api.call("POST", f"/campaigns/{campaign['id']}/preview", json={})
    assert await entries(api, kind="campaign", thing_id=campaign["id"]) == before


async def test_an_import_is_told_as_a_whole_when_it_begins_and_when_it_ends(api: Api) -> None:
    campaign = await api.campaign()
    done = await api.import_csv(campaign["id"], "handle,first_name\njane_doe,Jane\nx y,Bad\n")
    ended, begun = await entries(api, kind="import", thing_id=done["id"])
    assert (begun["action"], begun["actor"]) == ("created", await own_user(api))
    assert (ended["action"], ended["actor"]) == ("changed", "api")
    assert (ended["after"]["status"], ended["after"]["accepted"], ended["after"]["rejected"]) == ("completed", 1, 1)
    assert await entries(api, kind="contact", action="created") == []


@pytest.mark.parametrize(
    ("role", "actor"),
    [("relaygram_dispatcher", "dispatcher"), ("relaygram_gateway", "gateway"), ("postgres", "command_line")],
)
async def test_transitions_by_others_name_their_role(api: Api, role: str, actor: str) -> None:
    campaign = await api.broadcast(contacts=1)
    await api.call("POST", f"/campaigns/{campaign['id']}/start")
    await api.sql(
        "select control.transition($1, $2, 'content_error', 'somebody')", api.workspace_id, campaign["id"], role=role
    )
    row = (await entries(api, kind="campaign", thing_id=campaign["id"]))[0]
    assert row["actor"] == actor
    assert row["token_id"] is row["request_id"] is None
    assert row["after"] == {"status": "paused", "status_reason": "content_error"}


async def test_users_and_tokens_made_on_the_command_line_are_told(api: Api) -> None:
    await api.sql("update control.users set password_hash = '$argon2id$changed'")
    changed = (await entries(api, kind="user"))[0]
    assert (changed["actor"], changed["after"]) == ("command_line", {"password_hash": "(hidden)"})
    assert [row["after"]["name"] for row in await entries(api, kind="workspace", action="created")] == ["first"]
    assert await entries(api, kind="token", actor="command_line", action="created")


async def test_filters_pages_and_cursor_agree(api: Api) -> None:
    for number in range(5):
        await api.campaign(name=f"c{number}")
    everything = await api.call("GET", "/audit", params={"kind": "campaign", "per_page": 100})
    ids = [row["id"] for row in everything["data"]]
    assert ids == sorted(ids, reverse=True)
    assert everything["meta"]["pagination"]["total"] == len(ids)
    assert everything["meta"]["cursor"]["next"] is None
    pages, cursor = [], None
    while True:
        params = {"kind": "campaign", "per_page": 2, **({"cursor": cursor} if cursor else {})}
        page = await api.call("GET", "/audit", params=params)
        pages += [row["id"] for row in page["data"]]
        cursor = page["meta"]["cursor"]["next"]
        if cursor is None:
            break
    assert pages == ids
    second = await api.call("GET", "/audit", params={"kind": "campaign", "per_page": 2, "page": 2})
    assert [row["id"] for row in second["data"]] == ids[2:4]
    middle = everything["data"][2]["happened_at"]
    assert [row["id"] for row in await entries(api, kind="campaign", since=middle)] == ids[:2]
    assert [row["id"] for row in await entries(api, kind="campaign", until=middle)] == ids[3:]
    assert {row["action"] for row in await entries(api, action="deleted")} <= {"deleted"}
    assert await entries(api, actor="nobody") == []


@pytest.mark.parametrize(
    "query", ["action=x", "thing_id=0", "since=x", "until=x", "per_page=0", "cursor=x", "kind=%00", "page=2&cursor=x"]
)
async def test_what_can_not_be_asked_is_422(api: Api, query: str) -> None:
    assert len(await api.errors("GET", f"/audit?{query}")) == 1


async def test_it_needs_the_ability_admin_and_shows_one_workspace(api: Api) -> None:
    async with api.bearing(await api.token_with("campaigns:read", "logs:read")) as client:
        assert (await client.get("/api/v1/audit")).status_code == 403
    await identity.bootstrap(api.database.dsn, workspace="second", email="second@example.com")
    token = await identity.create_token(api.database.dsn, "second@example.com", "t", ["admin"])
    async with api.bearing(token) as client:
        rows = (await client.get("/api/v1/audit")).json()["data"]
    assert {row["kind"] for row in rows} == {"workspace", "user", "token"}
    assert await api.sql("select count(*) from control.audit_log", role="relaygram_api") == 0


@pytest.mark.parametrize("role", ["relaygram_api", "relaygram_dispatcher", "relaygram_gateway", "relaygram_log_writer"])
@pytest.mark.parametrize("statement", ["update control.audit_log set actor = 'x'", "delete from control.audit_log",
                                       "truncate control.audit_log",
                                       "insert into control.audit_log (workspace_id, actor, action, kind, thing_id) "
                                       "values (1, 'x', 'created', 'x', 1)"])  # fmt: skip
async def test_no_service_writes_it_but_by_changing_things(api: Api, role: str, statement: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await api.sql(statement, role=role)


@pytest.mark.parametrize("statement", ["update control.audit_log set actor = 'x'", "delete from control.audit_log"])
async def test_not_even_the_owner_changes_what_was_written(api: Api, statement: str) -> None:
    with pytest.raises(asyncpg.RaiseError, match="only ever added to"):
        await api.sql(statement)


@pytest.mark.parametrize("author", [Author("user:7'; drop", 1, ""), Author("u", 1, "a'b"), Author("u", 1, "x" * 81)])
async def test_an_author_is_put_into_sql_only_when_plain(api: Api, author: Author) -> None:
    with pytest.raises(ValueError, match="not plain"):
        await api.parts.database.workspace(1, author).__aenter__()


async def test_nothing_secret_is_ever_in_it(api: Api) -> None:
    """After every route was called, of all that rests secret or is personal no byte appears."""
    for make, _, _ in CHANGES.values():
        method, path, arguments = await make(api)
        await api.client.request(method, f"/api/v1{path}", **arguments)
    for kind, value in (("bot_token", BOT_TOKEN), ("phone", PHONE)):
        body = {"kind": "bot" if kind == "bot_token" else "user", kind: value}
        await api.call("POST", "/telegram-accounts", status=202, json=body)
    campaign = await api.campaign()
    await api.import_csv(campaign["id"], f"handle,phone,first_name\nsecretive_1,{PHONE},Secretive\n")
    await api.call("POST", "/people/erase", json={"phone": PHONE})

    await eventually(lambda: api.sql("select count(*) = 0 from control.imports where finished_at is null"))
    written: str = await api.sql("select string_agg(concat(l.before, l.after), ' ') from control.audit_log l")
    assert "(hidden)" in written
    hidden = [PHONE[1:], CODE, PASSWORD, BOT_TOKEN, "secretive_1", "Secretive", "argon2", "\\\\x", api.token]
    for table, column in (("api_tokens", "secret_hash"), ("login_secrets", "sealed"), ("contacts", "phone_hash"),
                          ("contacts", "phone_sealed"), ("suppressions", "phone_hash")):  # fmt: skip
        values = await api.sql(f"select array_agg({column}) from control.{table} where {column} is not null")  # noqa: S608 - names of ours
        hidden += [value.hex() for value in values or []]
    for secret in hidden:
        assert secret not in written, secret
