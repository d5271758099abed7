"""Every route of the document × every way to be refused. A new route is covered by being a route.

401: no token, and tokens that are malformed, unknown, revoked, expired, or a disabled user's · 403: each ability that
the route needs is missing · 404: things of another workspace.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from relaygram_common import identity
from relaygram_common.security.tokens import ABILITIES
from tests.api.calls import CALLS, CLOSED, Call
from tests.api.log_rows import row, write_log
from tests.api.support import Api

ABOUT_THINGS = [call for call in CALLS if call.parameters]
LISTS = [
    call for call in CALLS if call.shape == "campaign_api" and call.name.startswith("list_") and not call.parameters
]
# What any token may do, whatever its abilities.
FOR_ANY_TOKEN = {"logout", "get_me", "list_tokens", "create_token", "revoke_token"}


def each(calls: list[Call]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("call", calls, ids=lambda call: f"{call.method} {call.path}")


async def make_things(api: Api) -> dict[str, Any]:
    """One of each thing that paths name, in the api's own workspace."""
    campaign = await api.campaign()
    one = campaign["id"]
    done = await api.import_csv(one, "handle\njane_doe\n@1\n")
    [sender] = await api.data("GET", f"/campaigns/{one}/senders")
    await write_log(api, [row(one, "sent", sender_id=sender["id"])])
    tried = await api.data("POST", f"/campaigns/{one}/test", status=202, json={"handle": "@jane_doe"})
    file = {"file": ("note.txt", b"hello", "image/png")}
    media = await api.data("POST", "/media", status=201, files=file)
    await api.data("POST", "/suppressions", json={"handle": f"@person_{one}", "reason": "asked us to stop"})
    sends = await api.client.post("/send-logs/search", json={"find": {"campaign_id": [str(one)]}})
    return {
        "campaign_id": one,
        "account_id": campaign["telegram_account_id"],
        "import_id": done["id"],
        "sender_id": sender["id"],
        "token_id": int((await api.token_with("*")).partition("|")[0]),
        "job_id": tried["job_id"],
        "media_id": media["id"],
        "send_id": sends.json()["data"]["send_logs"][0]["_id"],
        "suppression_id": (await api.data("GET", "/suppressions"))[0]["id"],
    }


@pytest.fixture(scope="module")
async def things(api: Api) -> dict[str, Any]:
    """For calls that change nothing, since they are refused."""
    return await make_things(api)


@pytest.fixture(scope="module")
async def stranger(api: Api) -> str:
    """A token of another workspace that may do everything there."""
    await identity.bootstrap(api.database.dsn, workspace="second", email="other@example.com")
    return await identity.create_token(api.database.dsn, "other@example.com", "t", ["*"])


async def _none(api: Api) -> str | None:
    return None


async def _malformed(api: Api) -> str:
    return "nonsense"


async def _unknown(api: Api) -> str:
    return "999999|" + "a" * 43


async def _wrong_secret(api: Api) -> str:
    return api.token.partition("|")[0] + "|" + "a" * 43


async def _revoked(api: Api) -> str:
    token = await api.token_with("*")
    await api.call("DELETE", f"/tokens/{token.partition('|')[0]}", status=204)
    return token


async def _expired(api: Api) -> str:
    token = await api.token_with("*")
    expire = "update control.api_tokens set expires_at = now() - interval '1 s' where id = $1"
    await api.sql(expire, int(token.partition("|")[0]))
    return token


async def _of_a_disabled_user(api: Api) -> str:
    await identity.bootstrap(api.database.dsn, workspace="third", email="gone@example.com")
    token = await identity.create_token(api.database.dsn, "gone@example.com", "t", ["*"])
    await api.sql("update control.users set disabled_at = now() where email = 'gone@example.com'")
    return token


BAD_TOKENS: list[Callable[[Api], Awaitable[str | None]]] = [
    _none, _malformed, _unknown, _wrong_secret, _revoked, _expired, _of_a_disabled_user,
]  # fmt: skip


@pytest.fixture(scope="module", params=BAD_TOKENS, ids=lambda make: make.__name__.lstrip("_"))
async def bad_token(api: Api, request: pytest.FixtureRequest) -> str | None:
    make: Callable[[Api], Awaitable[str | None]] = request.param
    return await make(api)


@each(CLOSED)
async def test_401_without_a_good_token(api: Api, things: dict[str, Any], bad_token: str | None, call: Call) -> None:
    async with api.bearing(bad_token) as client:
        answer = await call.make(client, things)
    call.demand_refused(answer, 401)
    assert answer.headers["WWW-Authenticate"] == "Bearer"


@each([call for call in CALLS if call.is_open])
async def test_open_routes_ask_for_no_token(api: Api, call: Call) -> None:
    async with api.bearing(None) as client:
        assert (await call.make(client, {})).status_code == 422


def test_every_route_needs_an_ability_or_is_known_to_be_for_any_token() -> None:
    assert {call.name for call in CLOSED if not call.abilities} == FOR_ANY_TOKEN


@pytest.mark.parametrize(
    ("call", "missing"),
    [(call, ability) for call in CLOSED for ability in call.abilities],
    ids=[f"{call.method} {call.path} without {ability}" for call in CLOSED for ability in call.abilities],
)
async def test_403_without_the_ability(api: Api, things: dict[str, Any], call: Call, missing: str) -> None:
    others = [ability for ability in ABILITIES if ability != missing]
    async with api.bearing(await api.token_with(*others)) as client:
        answer = await call.make(client, things)
        nowhere = await call.make(client, {**things, "campaign_id": 999_999_999})
    call.demand_refused(answer, 403)
    assert nowhere.status_code == 403


@each([call for call in CLOSED if call.abilities])
async def test_the_ability_alone_is_enough(api: Api, call: Call) -> None:
    own = await make_things(api)
    async with api.bearing(await api.token_with(*call.abilities)) as client:
        answer = await call.make(client, own)
    assert answer.status_code not in (401, 403, 404, 405, 415), answer.text
    assert answer.status_code < 500


@each(ABOUT_THINGS)
async def test_404_for_another_workspaces_thing(api: Api, things: dict[str, Any], stranger: str, call: Call) -> None:
    async with api.bearing(stranger) as client:
        answer = await call.make(client, things)
    call.demand_refused(answer, 404)


@each(LISTS)
async def test_lists_show_nothing_of_another_workspace(
    api: Api, things: dict[str, Any], stranger: str, call: Call
) -> None:
    ours = (await api.client.get(call.path)).json()["data"]
    assert ours, f"make_things() makes nothing that {call.path} lists"
    async with api.bearing(stranger) as client:
        theirs = (await client.get(call.path)).json()["data"]
    assert {thing["id"] for thing in ours} & {thing["id"] for thing in theirs} == set()
