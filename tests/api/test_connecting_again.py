"""POST /telegram-accounts/{id}/connect: a disabled account is logged in anew under the same id."""

import asyncio
from typing import Any

import pytest

from relaygram_common.security.sealing import Sealer
from tests.api.support import KEY, Api

PHONE = {"phone": "+49 1511 2345678"}
SESSION = "1" + "A" * 352


async def secrets_of(api: Api, account_id: int) -> dict[str, str]:
    """What rests for the gateway, opened."""
    found: dict[str, str] = {}
    for kind in ("phone", "bot_token", "session_string", "code", "password"):
        sealed = await api.sql(
            "select sealed from control.login_secrets where account_id = $1 and kind = $2", account_id, kind
        )
        if sealed is not None:
            found[kind] = Sealer(KEY).open(sealed, owner=f"login:{account_id}:{kind}")
    return found


async def test_a_disabled_account_is_connected_again_under_its_id_and_its_campaigns_wait_for_it(api: Api) -> None:
    campaign = await api.broadcast(contacts=1)
    account_id = campaign["telegram_account_id"]
    path = f"/telegram-accounts/{account_id}"
    before = await api.data("PATCH", path, json={"name": "Sales", "limits": {"messages_per_hour": 7}})
    await api.call("POST", f"/campaigns/{campaign['id']}/start")
    await api.account_becomes(account_id, "disabled")
    made = await api.data("POST", f"{path}/connect", status=202, json=PHONE)
    assert made == {**before, "status": "new", "status_reason": None}
    assert await secrets_of(api, account_id) == {"phone": "+4915112345678"}
    waiting = await api.data("GET", f"/campaigns/{campaign['id']}")
    assert (waiting["status"], waiting["status_reason"]) == ("paused", "account_down")
    await api.account_becomes(account_id, "active")
    assert (await api.data("GET", f"/campaigns/{campaign['id']}"))["status"] == "running"


async def test_what_was_entered_for_an_earlier_log_in_is_gone(api: Api) -> None:
    account_id = await api.account(status="code_required")
    path = f"/telegram-accounts/{account_id}"
    await api.call("POST", f"{path}/code", status=202, json={"code": "12345"})
    await api.account_becomes(account_id, "disabled")
    other = {"phone": "+4915112345679"}
    await api.call("POST", f"{path}/connect", status=202, json=other)
    assert await secrets_of(api, account_id) == other


@pytest.mark.parametrize("status", ["new", "code_required", "password_required", "active", "backing_off"])
async def test_any_other_account_is_409(api: Api, status: str) -> None:
    account_id = await api.account(status="active" if status == "backing_off" else status)
    if status == "backing_off":
        await api.account_becomes(account_id, status)
    refused = await api.call("POST", f"/telegram-accounts/{account_id}/connect", status=409, json=PHONE)
    assert (refused["code"], status in refused["message"]) == ("not_disabled", True)


async def test_one_that_was_logged_out_is_gone(api: Api) -> None:
    account_id = await api.account()
    await api.call("DELETE", f"/telegram-accounts/{account_id}", status=204)
    await api.call("POST", f"/telegram-accounts/{account_id}/connect", status=404, json=PHONE)


async def test_of_several_at_once_one_connects(api: Api) -> None:
    account_id = await api.account(status="disabled")
    phones = [f"+491511234567{number}" for number in range(5)]
    calls = [
        api.client.post(f"/api/v1/telegram-accounts/{account_id}/connect", json={"phone": phone}) for phone in phones
    ]
    answers = await asyncio.gather(*calls)
    assert sorted(answer.status_code for answer in answers) == [202, 409, 409, 409, 409]
    (won,) = [phone for phone, answer in zip(phones, answers, strict=True) if answer.status_code == 202]
    assert await secrets_of(api, account_id) == {"phone": won}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "phone"), ({"phone": "12"}, "phone"), ({"bot_token": "1234567:AAF-" + "x" * 30}, "bot_token"),
        ({**PHONE, "session_string": SESSION}, "session_string"), ({"session_string": "x"}, "session_string"),
        ({**PHONE, "kind": "user"}, "kind"), ({**PHONE, "name": "x"}, "name"), ({"phone": 1}, "phone"),
    ],
)  # fmt: skip
async def test_what_does_not_connect_a_user_is_422(api: Api, body: dict[str, Any], field: str) -> None:
    account_id = await api.account(status="disabled")
    assert list(await api.errors("POST", f"/telegram-accounts/{account_id}/connect", json=body)) == [field]
    assert (await api.data("GET", f"/telegram-accounts/{account_id}"))["status"] == "disabled"


async def test_a_bot_is_connected_again_by_a_token(api: Api) -> None:
    token = "1234567:AAF-" + "x" * 30
    made = await api.data("POST", "/telegram-accounts", status=202, json={"kind": "bot", "bot_token": token})
    await api.account_becomes(made["id"], "disabled")
    path = f"/telegram-accounts/{made['id']}/connect"
    assert list(await api.errors("POST", path, json=PHONE)) == ["phone"]
    assert (await api.data("POST", path, status=202, json={"bot_token": token + "y"}))["status"] == "new"
    assert await secrets_of(api, made["id"]) == {"bot_token": token + "y"}
