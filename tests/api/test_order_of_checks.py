"""413, 401, 429, 404 or 405, 415, 422 (not JSON), 403, 404 (thing), 422 (fields), 409: the first that applies."""

from typing import Any

import pytest

from tests.api.support import Api

UNKNOWN = "/api/v1/campaigns/999999"


async def ask(api: Api, token: str | None, method: str, path: str, **arguments: Any) -> Any:
    async with api.bearing(token) as client:
        return await client.request(method, path, **arguments)


async def test_413_comes_before_401(api: Api) -> None:
    refused = await ask(api, None, "POST", "/api/v1/campaigns", content=b"x" * (1024 * 1024 + 1))
    assert refused.status_code == 413
    assert refused.json()["code"] == "too_large"


async def test_a_body_without_length_is_413_once_it_is_too_large(api: Api) -> None:
    async def pieces() -> Any:
        for _ in range(17):
            yield b"x" * 65536

    headers = {"Content-Type": "application/json"}
    refused = await ask(api, api.token, "POST", "/api/v1/campaigns", content=pieces(), headers=headers)
    assert refused.status_code == 413


async def test_401_comes_before_an_unknown_route_and_before_bad_json(api: Api) -> None:
    assert (await ask(api, None, "GET", "/api/v1/nothing")).status_code == 401
    assert (await ask(api, None, "POST", "/api/v1/campaigns", content=b"{")).status_code == 401


async def test_an_unknown_route_is_404_and_a_wrong_method_405_that_tells_the_right_ones(api: Api) -> None:
    unknown = await ask(api, api.token, "GET", "/api/v1/nothing")
    assert unknown.status_code == 404
    assert unknown.json()["code"] == "not_found"
    wrong = await ask(api, api.token, "PUT", "/api/v1/campaigns", content=b"{")
    assert wrong.status_code == 405
    assert wrong.headers["Allow"] == "GET, POST"
    assert (await ask(api, api.token, "POST", f"{UNKNOWN}/logs")).headers["Allow"] == "GET"


@pytest.mark.parametrize(
    "path",
    ["abc", "0", "-1", "1.5", "007", "9223372036854775808", "9" * 5000, "1%00", "%2e%2e", "1/"],
)
async def test_what_is_no_id_is_404(api: Api, path: str) -> None:
    assert (await ask(api, api.token, "GET", f"/api/v1/campaigns/{path}")).status_code == 404


async def test_415_comes_before_bad_json_and_before_403(api: Api) -> None:
    token = await api.token_with("logs:read")
    headers = {"Content-Type": "text/plain"}
    refused = await ask(api, token, "POST", "/api/v1/campaigns", content=b"{", headers=headers)
    assert refused.status_code == 415
    assert (await ask(api, token, "POST", f"{UNKNOWN}/contacts", content=b"a", headers=headers)).status_code == 415
    assert (await ask(api, token, "POST", "/api/v1/campaigns", content=b"{}")).status_code == 415


@pytest.mark.parametrize(
    "body", [b"{", b"", b"nul", b"\xff", b'{"a": NaN}', b'{"a": "\\ud800"}', b"[" * 100_000, b'{"a":1} x']
)
async def test_what_is_not_json_is_422_of_body_before_403(api: Api, body: bytes) -> None:
    token = await api.token_with("logs:read")
    headers = {"Content-Type": "application/json"}
    for path in ("/api/v1/campaigns", f"{UNKNOWN}/contacts"):
        refused = await ask(api, token, "POST", path, content=body, headers=headers)
        assert refused.status_code == 422
        assert list(refused.json()["errors"]) == ["body"]


async def test_403_comes_before_an_unknown_thing(api: Api) -> None:
    token = await api.token_with("senders:read")
    refused = await ask(api, token, "PUT", UNKNOWN, json={"name": 7})
    assert refused.status_code == 403
    assert refused.json()["code"] == "missing_ability"


@pytest.mark.parametrize(
    ("method", "path", "arguments"),
    [
        ("PUT", UNKNOWN, {"json": {"name": 7}}),
        ("PATCH", UNKNOWN, {"json": {"unknown": 7}}),
        ("GET", f"{UNKNOWN}/logs?per_page=0", {}),
        ("GET", f"{UNKNOWN}/logs?page=2&cursor=x", {}),
        ("GET", f"{UNKNOWN}/senders?status=x", {}),
        ("POST", f"{UNKNOWN}/contacts", {"json": {"contacts": 1}}),
        ("POST", f"{UNKNOWN}/contacts", {"content": b"nonsense\n1\n", "headers": {"Content-Type": "text/csv"}}),
        ("PATCH", "/api/v1/telegram-accounts/999999", {"json": {"limits": {"messages_per_second": 0}}}),
        ("POST", "/api/v1/telegram-accounts/999999/code", {"json": {}}),
        ("POST", "/api/v1/telegram-accounts/999999/password", {"json": {}}),
        ("GET", "/api/v1/imports/999999/errors?page=0", {}),
    ],
)
async def test_an_unknown_thing_comes_before_its_fields(
    api: Api, method: str, path: str, arguments: dict[str, Any]
) -> None:
    assert (await ask(api, api.token, method, path, **arguments)).status_code == 404


async def test_fields_come_before_409(api: Api) -> None:
    campaign = await api.campaign()
    path = f"/api/v1/campaigns/{campaign['id']}"
    await api.call("POST", f"/campaigns/{campaign['id']}/stop")
    assert (await ask(api, api.token, "PUT", path, json={"body": ""})).status_code == 422
    assert (await ask(api, api.token, "PUT", path, json={"body": "x"})).status_code == 409


@pytest.mark.parametrize("field", ["name", "body", "trigger_keyword"])
async def test_nul_is_422_by_field(api: Api, field: str) -> None:
    errors = await api.errors("POST", "/campaigns", json={field: "a\0b"})
    assert errors == {field: ["must not contain the character NUL"]}


async def test_nul_in_a_query_is_422(api: Api) -> None:
    assert "q" in await api.errors("GET", "/campaigns?q=%00")


@pytest.mark.parametrize("value", ["0", "-1", "x", "", "1.5", "9" * 5000])
@pytest.mark.parametrize("parameter", ["page", "per_page"])
async def test_pages_that_are_no_numbers_are_422(api: Api, parameter: str, value: str) -> None:
    assert list(await api.errors("GET", f"/campaigns?{parameter}={value}")) == [parameter]


async def test_huge_pages_are_empty_and_huge_page_sizes_are_cut(api: Api) -> None:
    past = await api.call("GET", f"/campaigns?page={2**63 - 1}&per_page={10**30}")
    assert past["data"] == []
    assert past["meta"]["pagination"]["per_page"] == 100
    assert list(await api.errors("GET", f"/campaigns?page={2**63}")) == ["page"]


async def test_every_answer_has_a_request_id_and_takes_over_a_sane_one(api: Api) -> None:
    given = await api.client.get("/api/v1/me", headers={"X-Request-Id": "abc-1"})
    assert given.headers["X-Request-Id"] == "abc-1"
    for strange in (b"a b", b"\xff", b"x" * 65):
        answer = await api.client.get("/api/v1/nothing", headers=[(b"X-Request-Id", strange)])
        assert answer.headers["X-Request-Id"] == answer.json()["request_id"]
        assert answer.json()["request_id"].encode() != strange
