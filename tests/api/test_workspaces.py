"""Another workspace's things are 404, over HTTP and below it."""

from dataclasses import dataclass

import asyncpg
import pytest
from fastapi.routing import APIRoute

from relaygram_api.web import create_app
from relaygram_common import identity
from tests.api.log_rows import row, write_log
from tests.api.support import Api

ROUTES = [
    (method, route)
    for route in create_app(None).routes
    if isinstance(route, APIRoute) and route.include_in_schema
    for method in sorted(route.methods or ())
]
NAMES = [f"{method} {route.path_format}" for method, route in ROUTES]
OPEN = {"/api/v1/login"}
FOR_ANY_TOKEN = {"login", "logout", "get_me", "list_tokens", "create_token", "revoke_token"}
GUARDED = [(method, route) for method, route in ROUTES if route.operation_id not in FOR_ANY_TOKEN]


@dataclass(frozen=True)
class Strangers:
    """Somebody else's token, and the ids of ours that they ask for."""

    token: str
    ids: dict[str, int]

    def path(self, route: APIRoute) -> str:
        return route.path_format.format(**self.ids)


@pytest.fixture(scope="module")
async def strangers(api: Api) -> Strangers:
    await identity.bootstrap(api.database.dsn, workspace="second", email="other@example.com")
    token = await identity.create_token(api.database.dsn, "other@example.com", "t", ["*"])
    campaign = await api.campaign()
    done = await api.import_csv(campaign["id"], "handle\njane\n@1\n")
    await write_log(api, [row(campaign["id"], "sent")])
    own = int((await api.token_with("*")).partition("|")[0])
    ids = {
        "campaign_id": campaign["id"],
        "account_id": campaign["telegram_account_id"],
        "import_id": done["id"],
        "token_id": own,
    }
    return Strangers(token, ids)


@pytest.mark.parametrize(("method", "route"), ROUTES, ids=NAMES)
async def test_every_route_refuses_who_bears_no_token(
    api: Api, strangers: Strangers, method: str, route: APIRoute
) -> None:
    async with api.bearing(None) as client:
        answer = await client.request(method, strangers.path(route))
    assert answer.status_code == (422 if route.path_format in OPEN else 401)


@pytest.mark.parametrize(
    ("method", "route"), GUARDED, ids=[f"{method} {route.path_format}" for method, route in GUARDED]
)
async def test_every_route_refuses_a_token_without_its_ability(
    api: Api, strangers: Strangers, method: str, route: APIRoute
) -> None:
    kind = "text/csv" if route.operation_id == "import_contacts" else "application/json"
    async with api.bearing(await api.token_with("events:write")) as client:
        answer = await client.request(method, strangers.path(route), content=b"{}", headers={"Content-Type": kind})
    assert answer.status_code == 403, answer.text


@pytest.mark.parametrize(("method", "route"), ROUTES, ids=NAMES)
async def test_every_route_finds_nothing_of_another_workspace(
    api: Api, strangers: Strangers, method: str, route: APIRoute
) -> None:
    kind = "text/csv" if route.operation_id == "import_contacts" else "application/json"
    async with api.bearing(strangers.token) as client:
        path = strangers.path(route)
        if path != route.path_format:
            answer = await client.request(method, path, content=b"{}", headers={"Content-Type": kind})
            assert answer.status_code == 404
        elif method == "GET" and route.operation_id not in FOR_ANY_TOKEN:
            assert (await client.get(path)).json()["data"] == []


async def test_a_foreign_account_can_not_be_used(api: Api, strangers: Strangers) -> None:
    body = {"name": "x", "mode": "broadcast", "body": "x", "telegram_account_id": strangers.ids["account_id"]}
    async with api.bearing(strangers.token) as client:
        refused = await client.post("/api/v1/campaigns", json=body)
    assert refused.status_code == 422
    assert list(refused.json()["errors"]) == ["telegram_account_id"]


TABLES = (
    "control.users", "control.api_tokens", "control.telegram_accounts", "control.campaigns", "control.contacts",
    "control.imports", "control.import_errors", "delivery.messages", "delivery.campaign_counters",
)  # fmt: skip


@pytest.mark.parametrize("table", TABLES)
async def test_the_apis_role_sees_one_workspace_and_without_one_nothing(
    api: Api, strangers: Strangers, table: str
) -> None:
    connection = await asyncpg.connect(api.database.api)
    try:
        count = f"select count(*), count(*) filter (where workspace_id <> {api.workspace_id}) from {table}"  # noqa: S608
        for said in ("", "*", "0", "x"):
            await connection.execute("select set_config('relaygram.workspace_id', $1, false)", said)
            assert tuple(await connection.fetchrow(count) or ()) == (0, 0)
        await connection.execute("select set_config('relaygram.workspace_id', $1, false)", str(api.workspace_id))
        seen, foreign = tuple(await connection.fetchrow(count) or ())
        assert seen > 0
        assert foreign == 0
    finally:
        await connection.close()


async def test_the_apis_role_writes_into_its_own_workspace_only(api: Api, strangers: Strangers) -> None:
    async with api.parts.database.workspace(api.workspace_id + 1) as connection:
        changed = await connection.execute("update control.campaigns set name = 'x'")
        assert changed == "UPDATE 0"
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(
                "insert into control.suppressions (workspace_id, handle, reason) values ($1, 'x', 'x')",
                api.workspace_id,
            )
