"""Workspaces, users and tokens as the owner of the database makes them."""

import json
from collections.abc import Callable

import httpx
import pytest

from tests.api.served import Process
from tests.cli.conftest import Relaygram
from tests.support.servers import Database


@pytest.fixture
def owner(relaygram: Relaygram, database: Database, monkeypatch: pytest.MonkeyPatch) -> Relaygram:
    monkeypatch.setenv("RELAYGRAM_POSTGRES_DSN", database.dsn)
    return relaygram


async def status_of(process: Process, token: str) -> int:
    async with httpx.AsyncClient() as client:
        answer = await client.get(f"{process.url}/api/v1/me", headers={"Authorization": f"Bearer {token}"})
    return answer.status_code


async def log_in(process: Process, email: str, password: str) -> int:
    async with httpx.AsyncClient() as client:
        body = {"email": email, "password": password, "device_name": "test"}
        return (await client.post(f"{process.url}/api/v1/login", json=body)).status_code


async def test_a_workspace_and_a_user_who_logs_in(owner: Relaygram, process: Process) -> None:
    assert (await owner("workspace", "create", "Shop")).status == 0
    twice = await owner("workspace", "create", "Shop")
    assert (twice.status, twice.err) == (1, "relaygram: there is a workspace 'Shop' already\n")
    made = await owner("user", "create", "ann@example.com", "--workspace", "Shop", "--generate")
    password = made.out.strip()
    assert len(password) == 20
    assert await log_in(process, "Ann@Example.com", password) == 200
    again = await owner("user", "create", "ANN@example.com", "--workspace", "Shop", "--generate")
    assert (again.status, "there is a user" in again.err) == (1, True)
    users = json.loads((await owner("user", "list", "--workspace", "Shop", "--json")).out)
    assert [(user["email"], user["name"], user["disabled_at"]) for user in users] == [("ann@example.com", "ann", None)]
    workspaces = json.loads((await owner("workspace", "list", "--json")).out)
    assert {one["name"]: one["users"] for one in workspaces} == {"first": 1, "Shop": 1}
    assert password not in (await owner("user", "list")).out


async def test_a_disabled_user_can_do_nothing_until_enabled(owner: Relaygram, process: Process) -> None:
    given = "a long enough password"
    made = await owner("user", "create", "bo@example.com", "--workspace", "first", "--password-stdin", stdin=given)
    assert (made.status, made.out) == (0, "")
    token = (await owner("token", "create", "bo@example.com", "--ability", "logs:read")).out.strip()
    assert (await owner("user", "disable", "bo@example.com")).err == (
        "User bo@example.com is disabled: its tokens are refused.\n"
    )
    assert (await status_of(process, token), await log_in(process, "bo@example.com", given)) == (401, 401)
    assert (await owner("user", "enable", "bo@example.com")).status == 0
    assert await log_in(process, "bo@example.com", given) == 200


async def test_a_new_password_and_the_end_of_old_tokens(owner: Relaygram, process: Process) -> None:
    made = await owner("user", "create", "cy@example.com", "--workspace", "first", "--generate", "--json")
    old = json.loads(made.out)["password"]
    token = (await owner("token", "create", "cy@example.com")).out.strip()
    changed = await owner("user", "set-password", "cy@example.com", "--generate", "--revoke-tokens", "--json")
    new = json.loads(changed.out)
    assert new["revoked_tokens"] == 1
    assert await status_of(process, token) == 401
    assert [await log_in(process, "cy@example.com", password) for password in (old, new["password"])] == [401, 200]


async def test_tokens_with_abilities_and_an_end(owner: Relaygram, process: Process) -> None:
    made = await owner(
        "token", "create", "jane@example.com", "--name", "ci", "--ability", "logs:read", "--ability", "senders:read",
        "--expires", "12h", "--json",
    )  # fmt: skip
    token = json.loads(made.out)
    assert await status_of(process, token["token"]) == 200
    listed = json.loads((await owner("token", "list", "--email", "jane@example.com", "--json")).out)
    (found,) = [one for one in listed if one["id"] == token["id"]]
    assert (found["abilities"], found["name"]) == (["logs:read", "senders:read"], "ci")
    assert found["expires_at"] is not None
    assert (await owner("token", "revoke", token["id"])).status == 0
    assert (await owner("token", "revoke", token["id"])).err.startswith("relaygram: there is no token")
    assert str(token["id"]) not in [line.split()[0] for line in (await owner("token", "list")).out.splitlines()]
    assert "ci" in (await owner("token", "list", "--all")).out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["workspace", "create", " "], "the workspace's name must be 1 to 255 printable characters"),
        (["user", "create", "x", "--workspace", "first", "--generate"], "'x' is not an e-mail address"),
        (["user", "create", "a@b", "--workspace", "none", "--generate"], "there is no workspace 'none'"),
        (["user", "create", "a@b", "--workspace", "first", "--password-stdin"], "a password has 12 to 1024 characters"),
        (["user", "disable", "nobody@example.com"], "there is no user nobody@example.com"),
        (["user", "set-password", "nobody@example.com", "--generate"], "there is no user nobody@example.com"),
        (["token", "create", "nobody@example.com"], "there is no user nobody@example.com"),
        (["token", "create", "jane@example.com", "--ability", "fly"], "unknown abilities: fly; there are "),
        (["token", "create", "jane@example.com", "--expires", "2020-01-01T00:00:00Z"], "a token must end in the"),
        (["user", "list", "--workspace", "none"], "there is no workspace 'none'"),
        (["user", "list", "--dsn", "postgresql://127.0.0.1:1/x"], "cannot use the database: "),
        (["user", "list", "--dsn", "nonsense"], "cannot use the database: invalid DSN"),
    ],
)  # fmt: skip
async def test_what_can_not_be_done_is_one_line(
    owner: Relaygram, process: Process, words: list[str], said: str
) -> None:
    done = await owner(*words, stdin="short\n")
    assert (done.status, done.out) == (1, "")
    assert done.err.startswith(f"relaygram: {said}")


async def test_a_service_role_and_an_empty_database_are_told(
    relaygram: Relaygram, database: Database, fresh_database: Callable[[], Database]
) -> None:
    refused = await relaygram("workspace", "create", "x", "--dsn", database.api)
    assert refused.err.startswith("relaygram: PostgreSQL refuses: ")
    assert "give the owner's address" in refused.err
    empty = database.server.dsn("postgres")
    assert (await relaygram("user", "list", "--dsn", empty)).err == (
        "relaygram: the database is not migrated\n  What to do: run: relaygram migrate\n"
    )
