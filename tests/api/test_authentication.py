"""Logging in, tokens, abilities, and who is refused."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from tests.api.support import Api, another_api
from tests.support.waiting import eventually


def credentials(api: Api, **fields: object) -> dict[str, object]:
    return {"email": api.email, "password": api.password, "device_name": "laptop", **fields}


async def test_login_gives_a_token_that_works(api: Api) -> None:
    found = await api.call("POST", "/login", json=credentials(api, abilities=["campaigns:read"]))
    assert found["meta"] == {}
    assert found["data"]["abilities"] == ["campaigns:read"]
    assert found["data"]["user"]["email"] == api.email
    assert set(found["data"]["user"]) == {"id", "email", "name"}
    async with api.bearing(found["data"]["token"]) as client:
        assert (await client.get("/api/v1/campaigns")).status_code == 200
        assert (await client.get("/api/v1/telegram-accounts")).status_code == 403


async def test_login_ignores_the_case_of_the_e_mail_and_gives_every_ability_by_default(api: Api) -> None:
    found = await api.data("POST", "/login", json=credentials(api, email=api.email.upper()))
    assert found["abilities"] == ["*"]


@pytest.mark.parametrize("wrong", [{"password": "wrong"}, {"email": "nobody@example.com"}])
async def test_wrong_credentials_are_401(api: Api, wrong: dict[str, str]) -> None:
    found = await api.call("POST", "/login", status=401, json=credentials(api, **wrong))
    assert found["code"] == "invalid_credentials"


async def test_login_names_every_wrong_field(api: Api) -> None:
    fields = {"email": "", "abilities": ["x"], "surprise": 1}
    errors = await api.errors("POST", "/login", json=fields)
    assert set(errors) == {"email", "password", "device_name", "surprise"}
    assert errors["surprise"] == ["is not a known field"]
    assert errors["password"] == ["is required"]


async def test_unknown_abilities_are_refused(api: Api) -> None:
    assert await api.errors("POST", "/login", json=credentials(api, abilities=["fly"])) == {
        "abilities": ["unknown: fly"]
    }


async def test_logout_revokes_the_current_token_only(api: Api) -> None:
    first, second = await api.token_with("*"), await api.token_with("*")
    async with api.bearing(first) as client:
        assert (await client.post("/api/v1/logout")).status_code == 204
        refused = await client.get("/api/v1/me")
    assert refused.status_code == 401
    assert refused.json()["message"] == "Unauthenticated."
    async with api.bearing(second) as client:
        assert (await client.get("/api/v1/me")).status_code == 200


async def test_a_revoked_token_is_refused_at_once_here_and_within_a_second_by_other_replicas(api: Api) -> None:
    token = await api.token_with("*")
    bearing = {"Authorization": f"Bearer {token}"}
    async with another_api(api) as other:

        async def is_refused() -> bool:
            return (await other.get("/api/v1/me", headers=bearing)).status_code == 401

        assert not await is_refused()
        assert (await api.client.get("/api/v1/me", headers=bearing)).status_code == 200
        await api.call("DELETE", f"/tokens/{token.partition('|')[0]}", status=204)
        assert (await api.client.get("/api/v1/me", headers=bearing)).status_code == 401
        await eventually(is_refused, 1.2)


async def test_a_wrong_secret_of_a_known_token_is_401_and_harms_nobody(api: Api) -> None:
    wrong = {"Authorization": f"Bearer {api.token.partition('|')[0]}|{'a' * 43}"}
    for _ in range(3):
        assert (await api.client.get("/api/v1/me")).status_code == 200
        assert (await api.client.get("/api/v1/me", headers=wrong)).status_code == 401


async def test_a_token_that_expires_while_it_is_known_is_401(api: Api) -> None:
    expires_at = datetime.now(UTC) + timedelta(seconds=0.4)
    made = await api.data("POST", "/tokens", status=201, json={"name": "x", "expires_at": expires_at.isoformat()})
    async with api.bearing(made["token"]) as client:
        assert (await client.get("/api/v1/me")).status_code == 200
        await asyncio.sleep((expires_at - datetime.now(UTC)).total_seconds() + 0.01)
        assert (await client.get("/api/v1/me")).status_code == 401


async def test_me_tells_user_workspace_and_token(api: Api) -> None:
    found = await api.data("GET", "/me")
    assert found["email"] == api.email
    assert found["workspace"] == {"id": api.workspace_id, "name": "first"}
    assert found["token"]["abilities"] == ["*"]


async def test_tokens_are_made_listed_and_revoked_and_the_secret_is_shown_once(api: Api) -> None:
    expires_at = (datetime.now(UTC) + timedelta(days=1)).replace(microsecond=0)
    made = await api.data(
        "POST",
        "/tokens",
        status=201,
        json={"name": "ci", "abilities": ["logs:read"], "expires_at": expires_at.isoformat()},
    )
    assert made["token"].startswith(f"{made['id']}|")
    assert made["expires_at"] == expires_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    listed = await api.data("GET", "/tokens", params={"per_page": 100})
    shown = next(token for token in listed if token["id"] == made["id"])
    assert "token" not in shown
    assert shown["name"] == "ci"
    await api.call("DELETE", f"/tokens/{made['id']}", status=204)
    async with api.bearing(made["token"]) as client:
        assert (await client.get("/api/v1/me")).status_code == 401
    await api.call("DELETE", f"/tokens/{made['id']}", status=404)


async def test_a_token_can_not_give_what_it_lacks(api: Api) -> None:
    async with api.bearing(await api.token_with("logs:read")) as client:
        for abilities in (["*"], ["campaigns:read"]):
            refused = await client.post("/api/v1/tokens", json={"name": "x", "abilities": abilities})
            assert refused.status_code == 403
        assert (await client.post("/api/v1/tokens", json={"name": "x", "abilities": ["logs:read"]})).status_code == 201


async def test_use_of_a_token_is_noted(api: Api) -> None:
    token = await api.token_with("*")
    async with api.bearing(token) as client:
        listed = (await client.get("/api/v1/tokens?per_page=100")).json()["data"]
    used = next(row for row in listed if row["id"] == int(token.partition("|")[0]))
    assert used["last_used_at"] is not None


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer 1|short",
        "Basic YTpi",
        "Bearer 999999999999999999|" + "a" * 43,
        "Bearer 99999999999999999999999|" + "a" * 43,
        "Bearer \u00e9|" + "a" * 43,
    ],
)
async def test_what_is_no_token_is_401(api: Api, header: str | None) -> None:
    async with api.bearing(None) as client:
        headers = [(b"Authorization", header.encode("latin-1"))] if header is not None else []
        refused = await client.get("/api/v1/me", headers=headers)
    assert refused.status_code == 401
    assert refused.json()["message"] == "Unauthenticated."
    assert "errors" not in refused.json()


async def test_expired_tokens_and_those_of_disabled_users_are_401(api: Api) -> None:
    token = await api.token_with("*")
    token_id = int(token.partition("|")[0])
    async with api.bearing(token) as client:

        async def is_refused() -> bool:
            return (await client.get("/api/v1/me")).status_code == 401

        await api.sql("update control.api_tokens set expires_at = now() - interval '1 s' where id = $1", token_id)
        assert (await client.get("/api/v1/me")).status_code == 401
        await api.sql("update control.api_tokens set expires_at = null where id = $1", token_id)
        assert (await client.get("/api/v1/me")).status_code == 200
        await api.sql("update control.users set disabled_at = now()")
        try:
            await eventually(is_refused, 1.2)
            await api.call("POST", "/login", status=401, json=credentials(api))
        finally:
            await api.sql("update control.users set disabled_at = null")
