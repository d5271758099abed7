"""The errors of the logs of channels, exactly in their own shape: five fields always; who may ask, and how often."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from relaygram_api.errors import unavailable
from relaygram_api.surfaces import CHANNEL_LOGS, surface_at
from relaygram_local_stack.servers import NatsServer
from tests.api.channel_calls import logs, violations
from tests.api.support import Api, running_api
from tests.support.servers import Database

FIELDS = ["errorCode", "description", "action", "violations", "resources"]
LOGS = "/telegram/1/logs"


def demand_error(answer: httpx.Response, status: int) -> dict[str, Any]:
    """The shape of every error."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["X-Request-Id"]
    body: dict[str, Any] = answer.json()
    assert list(body) == FIELDS
    assert body["errorCode"] == f"E{status}"
    assert body["description"]
    assert body["action"]
    assert body["resources"] == []
    assert all(list(one) == ["property", "violation"] for one in body["violations"])
    assert bool(body["violations"]) == (status == 400)
    return body


@pytest.mark.parametrize(
    ("parameters", "wrong"),
    [
        ({"limit": 0}, ["limit"]),
        ({"limit": 1001}, ["limit"]),
        ({"limit": "-1"}, ["limit"]),
        ({"limit": "ten"}, ["limit"]),
        ({"limit": "1_0"}, ["limit"]),
        ({"limit": ""}, ["limit"]),
        ({"limit": "9" * 5000}, ["limit"]),
        ({"generalStatus": "delivered"}, ["generalStatus"]),
        ({"generalStatus": ""}, ["generalStatus"]),
        ({"generalStatus": "SENT"}, ["generalStatus"]),
        ({"sentSince": "yesterday"}, ["sentSince"]),
        ({"sentSince": "2020-13-22T17:42:05.390+01:00"}, ["sentSince"]),
        ({"sentUntil": "1582389725"}, ["sentUntil"]),
        ({"sentUntil": "0001-01-01T00:00:00+14:00"}, ["sentUntil"]),
        ({"bulkId": "x" * 2049}, ["bulkId"]),
        ({"bulkId": ["x" * 1024, "y" * 1024]}, ["bulkId"]),
        ({"messageId": ""}, ["messageId"]),
        ({"messageId": ",,"}, ["messageId"]),
        ({"campaignReferenceId": "a\0b"}, ["campaignReferenceId"]),
        ({"entityId": "x" * 256}, ["entityId"]),
        ({"applicationId": "x" * 256}, ["applicationId"]),
        ({"entityId": ""}, ["entityId"]),
        ({"sender": ""}, ["sender"]),
        ({"destination": "a\0b"}, ["destination"]),
        ({"useCursor": "maybe"}, ["useCursor"]),
        ({"cursor": "nonsense"}, ["cursor"]),
        ({"cursor": "🙂"}, ["cursor"]),
        ({"cursor": ""}, ["cursor"]),
        ({"useCursor": "true", "cursor": "MTIzLjQ1Ng"}, ["cursor"]),
        ({"limit": 0, "generalStatus": "x", "sentSince": "y"}, ["generalStatus", "limit", "sentSince"]),
    ],
    ids=str,
)
async def test_400_names_each_parameter_that_is_wrong(api: Api, parameters: dict[str, Any], wrong: list[str]) -> None:
    answer = await api.client.get(LOGS, params=parameters)
    body = demand_error(answer, 400)
    assert sorted(one["property"] for one in body["violations"]) == wrong
    assert all(one["violation"] for one in body["violations"])


@pytest.mark.parametrize(
    "parameters",
    [
        {"limit": 1},
        {"limit": 1000},
        {"bulkId": "x" * 2048},
        {"messageId": ["x" * 1024, "y" * 1023]},
        {"entityId": "x" * 255, "applicationId": "é" * 255},
        {"sentSince": "2020-02-22T17:42:05.390+01:00", "sentUntil": "9999-12-31T23:59:59.999Z"},
        {"sentSince": "0001-01-01T00:00:00Z", "sentUntil": "0001-01-01T00:00:00Z"},
        {"unknown": "ignored", "page": "7"},
        {"generalStatus": ["x", "DELIVERED"]},  # of a parameter given twice the last counts
    ],
    ids=lambda value: str(value)[:60],
)
async def test_what_is_just_within_its_bounds_is_taken(api: Api, parameters: dict[str, Any]) -> None:
    assert list(await logs(api, "quiet", **parameters)) == ["results"]


async def test_a_cursor_is_for_the_list_that_it_was_made_for(api: Api) -> None:
    page = await logs(api, "quiet", useCursor="true")
    assert page["cursor"]["nextCursor"] is None
    wrong = await violations(api, "quiet", useCursor="false", cursor="x")
    assert wrong == {"useCursor": "can not be false together with cursor"}


async def test_401_without_a_good_token(api: Api) -> None:
    secret = "a" * 43
    for header in (None, "", "App", "App nonsense", f"App 999999|{secret}", f"Basic {api.token}", api.token):
        async with api.bearing(None) as client:
            answer = await client.get(LOGS, headers={} if header is None else {"Authorization": header})
        demand_error(answer, 401)
        assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("scheme", ["App", "app", "Bearer", "bearer"])
async def test_both_schemes_bear_the_same_token(api: Api, scheme: str) -> None:
    async with api.bearing(None) as client:
        answer = await client.get(LOGS, headers={"Authorization": f"{scheme} {api.token}"})
    assert answer.status_code == 200


async def test_the_scheme_of_others_is_nothing_to_the_campaign_api(api: Api) -> None:
    async with api.bearing(None) as client:
        answer = await client.get("/api/v1/logs", headers={"Authorization": f"App {api.token}"})
    assert answer.status_code == 401
    assert answer.json()["code"] == "unauthenticated"


async def test_403_without_the_ability(api: Api) -> None:
    async with api.bearing(await api.token_with("campaigns:read")) as client:
        body = demand_error(await client.get(LOGS), 403)
        demand_error(await client.get(f"{LOGS}?limit=0"), 403)
    assert "logs:read" in body["description"]
    async with api.bearing(await api.token_with("logs:read")) as client:
        assert (await client.get(LOGS)).status_code == 200


async def test_405_for_other_methods(api: Api) -> None:
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        answer = await api.client.request(method, LOGS)
        demand_error(answer, 405)
        assert answer.headers["Allow"] == "GET"


@pytest.mark.parametrize("path", ["/TELEGRAM/1/logs", "/1/1/logs", "/tele.gram/1/logs", f"/{'x' * 32}/1/logs"])
async def test_what_can_be_no_channel_is_no_address_of_these(api: Api, path: str) -> None:
    assert surface_at(path) is None
    assert (await api.client.get(path)).status_code == 404


async def test_429_for_all_tokens_of_a_workspace_together(
    fresh_database: Callable[[], Database], provisioned_nats: NatsServer
) -> None:
    async with running_api(fresh_database(), provisioned_nats.url, channel_logs_per_minute=3) as limited:
        answers = [await limited.client.get(LOGS) for _ in range(3)]
        assert [answer.headers["X-RateLimit-Remaining"] for answer in answers] == ["2", "1", "0"]
        async with limited.bearing(await limited.token_with("logs:read")) as client:
            refused = await client.get("/sms/1/logs")
            demand_error(refused, 429)
            assert 1 <= int(refused.headers["Retry-After"]) <= 20
            assert (await client.get("/api/v1/logs")).status_code == 200  # which has a limit of its own


async def test_120_a_minute_unless_it_is_set(provisioned_nats: NatsServer, database: Database) -> None:
    from relaygram_api.settings import ApiSettings

    assert ApiSettings(postgres_dsn=database.api, nats_url=provisioned_nats.url).channel_logs_per_minute == 120


async def test_500_tells_nothing_of_what_broke(api: Api) -> None:
    await api.sql("revoke select on delivery.messages from relaygram_api")
    try:
        answer = await api.client.get("/quiet/1/logs")
    finally:
        await api.sql("grant select on delivery.messages to relaygram_api")
    body = demand_error(answer, 500)
    assert "delivery" not in answer.text
    assert "permission" not in answer.text
    assert "X-Request-Id" in body["action"]


def test_503_when_the_database_is_away() -> None:
    status, body = CHANNEL_LOGS.error(unavailable(), "id")
    assert (status, list(body), body["errorCode"]) == (503, FIELDS, "E503")
