"""Telegram accounts: connecting, limits, logging out."""

import base64
import struct
from typing import Any

import pytest

from relaygram_api.core.account_limits import default_limits, limit_problems
from relaygram_common.security.sealing import Sealer
from tests.api.support import KEY, Api

# As Telethon writes it: data centre, address, port, key.
SESSION = "1" + base64.urlsafe_b64encode(struct.pack(">B4sH256s", 2, bytes((127, 0, 0, 1)), 443, b"k" * 256)).decode()
FIELDS = {
    "id", "name", "kind", "telegram_user_id", "handle", "status", "status_reason", "backing_off_until", "limits",
    "gateway", "sent_last_hour", "sent_today",
}  # fmt: skip
USER = {"kind": "user", "phone": "+491512345678"}
HASH = "0123456789abcdef0123456789abcdef"


async def connect(api: Api, **fields: Any) -> Any:
    return await api.data("POST", "/telegram-accounts", status=202, json=fields)


async def secret(api: Api, account_id: int, kind: str) -> str:
    sealed = await api.sql(
        "select sealed from control.login_secrets where account_id = $1 and kind = $2", account_id, kind
    )
    return Sealer(KEY).open(sealed, owner=f"login:{account_id}:{kind}")


@pytest.mark.parametrize(
    ("fields", "kind", "value"),
    [
        ({"kind": "user", "phone": "+49 (151) 234-56.78"}, "phone", "+491512345678"),
        ({"kind": "user", "phone": "0049 151 2345678"}, "phone", "+491512345678"),
        ({"kind": "bot", "bot_token": "123456:" + "A" * 35}, "bot_token", "123456:" + "A" * 35),
        ({"kind": "user", "session_string": SESSION}, "session_string", SESSION),
    ],
)
async def test_connecting_keeps_the_secret_sealed(api: Api, fields: dict[str, str], kind: str, value: str) -> None:
    account = await connect(api, name="Sales", **fields)
    assert set(account) == FIELDS
    assert (account["status"], account["kind"], account["name"]) == ("new", fields["kind"], "Sales")
    assert await secret(api, account["id"], kind) == value
    clear = await api.sql("select count(*) from control.login_secrets where position($1 in sealed) > 0", value.encode())
    assert clear == 0


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"kind": "user"}, "phone"),
        ({"kind": "user", "phone": "12345"}, "phone"),
        ({"kind": "user", "phone": "+0000000000"}, "phone"),
        ({"kind": "user", "bot_token": "1:" + "a" * 35}, "bot_token"),
        ({"kind": "user", "phone": "+491512345678", "session_string": SESSION}, "session_string"),
        ({"kind": "user", "session_string": SESSION[:-2] + "=="}, "session_string"),
        ({"kind": "user", "session_string": "2" + SESSION[1:]}, "session_string"),
        ({"kind": "user", "session_string": "1" + "A" * 352}, "session_string"),
        ({"kind": "user", "session_string": "not one!"}, "session_string"),
        ({"kind": "bot"}, "bot_token"),
        ({"kind": "bot", "bot_token": "abc"}, "bot_token"),
        ({"kind": "bot", "phone": "+491512345678"}, "phone"),
        ({"kind": "robot"}, "kind"),
        ({"kind": "user", "phone": "+491512345678", "status": "active"}, "status"),
        ({"kind": "user", "phone": 491512345678}, "phone"),
        ({**USER, "api_id": 1234}, "api_hash"),
        ({**USER, "api_hash": HASH}, "api_id"),
        ({**USER, "api_id": 0, "api_hash": HASH}, "api_id"),
        ({**USER, "api_id": 2**31, "api_hash": HASH}, "api_id"),
        ({**USER, "api_id": "1234", "api_hash": HASH}, "api_id"),
        ({**USER, "api_id": 1234, "api_hash": "secret"}, "api_hash"),
        ({**USER, "proxy": "socks4://127.0.0.1:1080"}, "proxy"),
        ({**USER, "proxy": "127.0.0.1:1080"}, "proxy"),
        ({**USER, "proxy": "socks5://127.0.0.1"}, "proxy"),
        ({**USER, "proxy": "socks5://127.0.0.1:70000"}, "proxy"),
        ({**USER, "proxy": "http://:@:80"}, "proxy"),
        ({**USER, "proxy": "http://a b:80"}, "proxy"),
        ({**USER, "proxy": "http://host:80/path"}, "proxy"),
        ({**USER, "proxy": "http://:secret@host:80"}, "proxy"),
        ({**USER, "proxy": ""}, "proxy"),
    ],
)
async def test_what_can_not_be_connected_is_422(api: Api, fields: dict[str, Any], wrong: str) -> None:
    assert list(await api.errors("POST", "/telegram-accounts", json=fields)) == [wrong]


async def test_its_own_application_and_proxy_rest_sealed_and_are_never_shown(api: Api) -> None:
    proxy = "socks5://jane:hunter2@proxy.example.com:1080"
    account = await connect(api, **USER, api_id=94575, api_hash=HASH, proxy=proxy)
    assert set(account) == FIELDS
    opened = await connection_of(api, account["id"])
    assert opened == (94575, HASH, proxy)
    texts = str(account) + str(await api.data("GET", f"/telegram-accounts/{account['id']}"))
    assert not any(secret in texts for secret in (HASH, "hunter2", "proxy.example.com"))
    path = f"/telegram-accounts/{account['id']}"
    assert list(await api.errors("PATCH", path, json={"proxy": "ftp://host:1"})) == ["proxy"]
    await api.call("PATCH", path, json={"name": "As it was"})
    assert (await connection_of(api, account["id"]))[2] == proxy
    await api.call("PATCH", path, json={"proxy": None})
    assert await connection_of(api, account["id"]) == (94575, HASH, None)
    assert list(await api.errors("PATCH", path, json={"api_id": 5})) == ["api_id"]  # belongs to the log-in


async def connection_of(api: Api, account_id: int) -> tuple[int | None, str | None, str | None]:
    async def opened(what: str) -> str | None:
        sealed = await api.sql(
            f"select {what}_sealed from control.account_connections where account_id = $1",  # noqa: S608 - a column
            account_id,
        )
        return None if sealed is None else Sealer(KEY).open(sealed, owner=f"account:{account_id}:{what}")

    api_id = await api.sql("select api_id from control.account_connections where account_id = $1", account_id)
    return api_id, await opened("api_hash"), await opened("proxy")


async def test_what_is_wrong_with_a_proxy_is_said_without_its_password(api: Api) -> None:
    answer = await api.call(
        "POST", "/telegram-accounts", status=422, json={**USER, "proxy": "gopher://jane:hunter2@host:1080"}
    )
    assert "socks5://" in answer["errors"]["proxy"][0]
    assert "hunter2" not in str(answer)


async def test_code_password_and_resend_are_taken_when_telegram_asks_for_them(api: Api) -> None:
    account_id = await api.account(status="code_required")
    path = f"/telegram-accounts/{account_id}"
    for code in ("11111", "22222"):
        found = await api.data("POST", f"{path}/code", status=202, json={"code": code})
        assert found["status"] == "code_required"
    assert await secret(api, account_id, "code") == "22222"
    asked_again = await api.data("POST", f"{path}/resend-code", status=202)
    assert asked_again["status"] == "new"  # until Telegram has sent another code
    await api.account_becomes(account_id, "code_required")
    refused = await api.call("POST", f"{path}/password", status=409, json={"password": "x"})
    assert "code_required" in refused["message"]
    await api.account_becomes(account_id, "password_required")
    await api.call("POST", f"{path}/password", status=202, json={"password": "  hunter2 "})
    assert await secret(api, account_id, "password") == "  hunter2 "
    await api.call("POST", f"{path}/code", status=409, json={"code": "11111"})
    await api.account_becomes(account_id, "active")
    await api.call("POST", f"{path}/resend-code", status=409)


@pytest.mark.parametrize("code", ["", "1", "x" * 30, 12345, None, "12 45!"])
async def test_what_is_no_code_is_422(api: Api, code: Any) -> None:
    account_id = await api.account(status="code_required")
    assert list(await api.errors("POST", f"/telegram-accounts/{account_id}/code", json={"code": code})) == ["code"]


async def test_limits_are_merged_key_by_key(api: Api) -> None:
    account_id = await api.account()
    path = f"/telegram-accounts/{account_id}"
    before = await api.data("GET", path)
    assert before["limits"] == default_limits("user", sandbox=True)
    changed = await api.data(
        "PATCH", path, json={"limits": {"messages_per_second": None, "messages_per_hour": 500}, "name": "New"}
    )
    assert changed["limits"] == {**before["limits"], "messages_per_second": None, "messages_per_hour": 500}
    assert changed["name"] == "New"
    again = await api.data("PATCH", path, json={"limits": {"messages_per_hour": None}})
    assert again["limits"]["messages_per_hour"] is None
    assert again["name"] == "New"


@pytest.mark.parametrize(
    "limits",
    [
        {"messages_per_second": 0}, {"messages_per_second": 1001}, {"messages_per_second": 1.5},
        {"messages_per_second": True}, {"messages_per_second": "5"}, {"messages_per_hour": -1},
        {"messages_per_day": 10**30}, {"warm_up": 1}, {"warm_up": None}, {"resolves_per_minute": 0}, {"speed": 1},
    ],
)  # fmt: skip
async def test_limits_out_of_bounds_are_422(api: Api, limits: dict[str, Any]) -> None:
    account_id = await api.account(status="new")
    errors = await api.errors("PATCH", f"/telegram-accounts/{account_id}", json={"limits": limits})
    assert all(field.startswith(f"limits.{next(iter(limits))}") for field in errors), errors


@pytest.mark.parametrize(("kind", "per_second"), [("user", 1), ("bot", 25)])
def test_outside_a_sandbox_limits_are_telegrams_and_null_is_refused(kind: str, per_second: int) -> None:
    assert default_limits(kind, sandbox=False) == {
        "messages_per_second": per_second,
        "messages_per_hour": None,
        "messages_per_day": None,
        "warm_up": True,
        "resolves_per_minute": 20,
    }
    nothing = {"messages_per_second": None, "resolves_per_minute": None, "messages_per_hour": None}
    assert set(limit_problems(nothing, sandbox=False)) == {"limits.messages_per_second", "limits.resolves_per_minute"}
    assert limit_problems(nothing, sandbox=True) == {}


async def test_an_account_shows_its_gateway_and_what_it_sent(api: Api) -> None:
    account_id = await api.account()
    await api.sql(
        "select telegram.take_term($1, $2, 'gateway-1')", api.workspace_id, account_id, role="relaygram_gateway"
    )
    path = f"/telegram-accounts/{account_id}"
    assert (await api.data("GET", path))["gateway"] is None  # no such gateway lives
    await api.sql("insert into telegram.gateways values ('gateway-1', now())", role="relaygram_gateway")
    for minutes, sends in ((1, 5), (59, 7), (61, 100)):
        await api.sql(
            "insert into telegram.usage values ($1, date_trunc('minute', now()) - make_interval(mins => $2), $3, $4)",
            account_id,
            minutes,
            api.workspace_id,
            sends,
            role="relaygram_gateway",
        )
    found = await api.data("GET", f"/telegram-accounts/{account_id}")
    assert (found["gateway"], found["sent_last_hour"]) == ("gateway-1", 12)
    assert found["sent_today"] in (5, 12, 112)
    await api.sql("update telegram.gateways set seen_at = now() - interval '11 s'", role="relaygram_gateway")
    assert (await api.data("GET", path))["gateway"] is None
    await api.sql("update telegram.gateways set seen_at = now()", role="relaygram_gateway")
    assert (await api.data("GET", path))["gateway"] == "gateway-1"
    await api.sql("update telegram.fences set running = false where account_id = $1", account_id)
    assert (await api.data("GET", path))["gateway"] is None


async def test_deleting_logs_out_and_pauses_its_campaigns(api: Api) -> None:
    campaign = await api.broadcast()
    account_id = campaign["telegram_account_id"]
    await api.call("POST", f"/campaigns/{campaign['id']}/start")
    await api.call("DELETE", f"/telegram-accounts/{account_id}", status=204)
    assert await api.sql("select status from control.telegram_accounts where id = $1", account_id) == "logged_out"
    found = await api.data("GET", f"/campaigns/{campaign['id']}")
    assert (found["status"], found["status_reason"]) == ("paused", "account_down")
    await api.call("GET", f"/telegram-accounts/{account_id}", status=404)
    await api.call("DELETE", f"/telegram-accounts/{account_id}", status=404)
    assert account_id not in [row["id"] for row in await api.data("GET", "/telegram-accounts?per_page=100")]


async def test_accounts_are_listed_in_pages(api: Api) -> None:
    made = [await api.account(status="new") for _ in range(3)]
    first = await api.call("GET", "/telegram-accounts", params={"per_page": 2})
    assert len(first["data"]) == 2
    total = first["meta"]["pagination"]["total"]
    assert first["meta"]["pagination"]["last_page"] == -(-total // 2)
    everything = await api.data("GET", "/telegram-accounts", params={"per_page": 1000})
    assert [row["id"] for row in everything][-3:] == made
    past = await api.call("GET", "/telegram-accounts", params={"page": 2**63 - 1})
    assert past["data"] == []


async def test_a_cursor_goes_through_all_accounts_though_some_are_added_and_gone(api: Api) -> None:
    made = [await api.account(status="new") for _ in range(4)]
    seen: list[int] = []
    cursor: str | None = ""
    while cursor is not None:
        parameters = {"per_page": 2, **({"cursor": cursor} if cursor else {})}
        page = await api.call("GET", "/telegram-accounts", params=parameters)
        seen += [row["id"] for row in page["data"]]
        cursor = page["meta"]["cursor"]["next"]
        if len(seen) == 2:
            await api.call("DELETE", f"/telegram-accounts/{seen[0]}", status=204)
    assert seen == sorted(set(seen))
    assert set(made) <= set(seen)
    assert list(await api.errors("GET", "/telegram-accounts?cursor=x")) == ["cursor"]
    first = (await api.call("GET", "/telegram-accounts?per_page=1"))["meta"]["cursor"]["next"]
    assert list(await api.errors("GET", f"/telegram-accounts?cursor={first}&page=2")) == ["page"]
    assert list(await api.errors("GET", f"/campaigns?cursor={first}")) == ["cursor"]
