"""The send logs: `GET /send-logs/{id}` and `POST /send-logs/search`."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from relaygram_common import identity
from relaygram_local_stack.servers import NatsServer
from tests.api.log_rows import row, write_log
from tests.api.support import Api, running_api
from tests.support.servers import Database

NOW = datetime(2026, 4, 21, 16, 2, 45, 123_000, tzinfo=UTC)
FIELDS = ["_id", "campaign_id", "message", "triggeredBy", "startDeliveryAt", "destinations"]


async def search(api: Api, body: Any, *, status: int = 200, **arguments: Any) -> Any:
    """The answer's `data`, or its `error`."""
    answer = await api.client.post("/send-logs/search", json=body, **arguments)
    assert answer.status_code == status, answer.text
    read = answer.json()
    assert read["ok"] is (status == 200)
    assert set(read) == {"ok", "data" if status == 200 else "error"}
    return read["data" if status == 200 else "error"]


async def of_campaign(api: Api, campaign_id: int, **options: Any) -> list[dict[str, Any]]:
    """Its sends."""
    found: list[dict[str, Any]] = (
        await search(api, {"find": {"campaign_id": [str(campaign_id)]}, "options": options})
    )["send_logs"]
    return found


async def one(api: Api, send_id: str, *, status: int = 200, **query: Any) -> Any:
    """A send, or the error."""
    answer = await api.client.get(f"/send-logs/{send_id}", params=query)
    assert answer.status_code == status, answer.text
    read = answer.json()
    assert read["ok"] is (status == 200)
    return read["data" if status == 200 else "error"]


def sent(campaign_id: int, number: int = 0, **fields: Any) -> dict[str, Any]:
    return row(campaign_id, "sent", destination=f"@person_{number}", recipient_id=number + 1, queued_at=NOW, **fields)


async def test_a_send_has_its_template_its_reason_and_its_people(api: Api) -> None:
    campaign = await api.campaign(body="Hello {{first_name|there}}")
    await write_log(api, [sent(campaign["id"], number, run_id=5) for number in range(3)])
    await write_log(api, [row(campaign["id"], "failed", run_id=5, destination="@nobody", error_code="NETWORK")])
    (found,) = await of_campaign(api, campaign["id"])
    assert list(found) == FIELDS
    assert found == {
        "_id": found["_id"],
        "campaign_id": str(campaign["id"]),
        "message": "Hello {{first_name|there}}",
        "triggeredBy": "broadcast",
        "startDeliveryAt": "2026-04-21T16:02:45.123Z",
        "destinations": 3,
    }
    assert await one(api, found["_id"]) == found
    assert await one(api, found["_id"], group_destinations="count") == found
    people = ["@person_0", "@person_1", "@person_2"]
    listed = await one(api, found["_id"], group_destinations="list")
    assert listed == {**found, "destinations": people}
    assert list(listed) == FIELDS


async def test_who_has_no_handle_is_listed_by_id_and_a_phone_is_masked(api: Api) -> None:
    campaign_id = (await api.campaign())["id"]
    destinations = [None, "5550199", "+4915112345678"]
    await write_log(
        api, [row(campaign_id, "sent", destination=one, recipient_id=77 + n) for n, one in enumerate(destinations)]
    )
    (found,) = await of_campaign(api, campaign_id)
    listed = await one(api, found["_id"], group_destinations="list")
    assert listed["destinations"] == ["77", "5550199", "+***********78"]


async def test_a_send_without_accepted_messages_has_nobody(api: Api) -> None:
    campaign_id = (await api.campaign())["id"]
    await write_log(api, [row(campaign_id, "queued", destination="@ann")])
    (found,) = await of_campaign(api, campaign_id)
    assert found["destinations"] == 0
    assert (await one(api, found["_id"], group_destinations="list"))["destinations"] == []


async def test_a_list_has_the_people_of_its_own_send_only_however_many(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relaygram_api.adapters.pg_sends._AT_ONCE", 7)  # many parts, also empty ones
    campaign_id = (await api.campaign())["id"]
    rows = [sent(campaign_id, number, step=number // 10 % 2) for number in range(50)]
    await write_log(api, [*rows, row(campaign_id, "queued", destination="@later", step=1)])
    for found in await of_campaign(api, campaign_id):
        listed = (await one(api, found["_id"], group_destinations="list"))["destinations"]
        expected = [one["destination"] for one in rows if one["step"] == int(listed[0] == "@person_10")]
        assert listed == expected
        assert len(listed) == found["destinations"]


async def test_an_erased_person_is_in_no_list_and_changes_no_template(api: Api) -> None:
    campaign_id = (await api.campaign(body="Hello {{first_name}}"))["id"]
    await api.import_csv(campaign_id, "handle,first_name\nerased_soon,Ann\nstays,Bob\n")
    people = await api.data("GET", f"/campaigns/{campaign_id}/senders")
    rows = [row(campaign_id, "sent", sender_id=one["id"], destination=one["handle"]) for one in people]
    await write_log(api, rows)
    await api.data("POST", "/people/erase", json={"handle": "@erased_soon"})
    (found,) = await of_campaign(api, campaign_id)
    assert (found["message"], found["destinations"]) == ("Hello {{first_name}}", 2)
    assert (await one(api, found["_id"], group_destinations="list"))["destinations"] == ["@stays"]


async def test_a_test_is_a_send_of_its_campaign(api: Api) -> None:
    campaign_id = (await api.campaign(body="Hello {{handle}}"))["id"]
    tried = await api.data("POST", f"/campaigns/{campaign_id}/test", status=202, json={"handle": "@jane_doe"})
    made = {"job_id": tried["job_id"], "trigger": "test", "destination": "@jane_doe"}
    await write_log(api, [row(0, "sent", **made)])
    (found,) = await of_campaign(api, campaign_id)
    assert (found["triggeredBy"], found["message"], found["destinations"]) == ("test", "Hello {{handle}}", 1)
    assert (await one(api, found["_id"], group_destinations="list"))["destinations"] == ["@jane_doe"]


async def test_a_deleted_campaigns_sends_stay(api: Api) -> None:
    campaign_id = (await api.campaign(body="Kept"))["id"]
    await write_log(api, [sent(campaign_id)])
    await api.call("DELETE", f"/campaigns/{campaign_id}", status=204)
    (found,) = await of_campaign(api, campaign_id)
    assert (await one(api, found["_id"]))["message"] == "Kept"


async def _five(api: Api) -> tuple[list[str], list[dict[str, Any]]]:
    """Two campaigns and five sends, each an hour after the other."""
    campaigns = [(await api.campaign())["id"] for _ in range(2)]
    for number in range(5):
        at = NOW + timedelta(hours=number)
        made = row(campaigns[number % 2], "sent", step=number, destination="@ann", queued_at=at)
        await write_log(api, [made])
    ids = [str(one) for one in campaigns]
    return ids, (await search(api, {"find": {"campaign_id": ids}}))["send_logs"]


async def test_search_orders_by_start_and_pages_exactly(api: Api) -> None:
    ids, sends = await _five(api)
    assert [one["startDeliveryAt"] for one in sends] == sorted(one["startDeliveryAt"] for one in sends)
    assert len(sends) == 5
    paged = []
    for skip in range(0, 6, 2):
        found = await search(api, {"find": {"campaign_id": ids}, "options": {"skip": skip, "limit": 2}})
        assert found["total"] == 5
        assert found["parsed"] == {"find": {"campaign_id": ids}, "options": {"skip": skip, "limit": 2}}
        paged += found["send_logs"]
    assert paged == sends
    past = await search(api, {"find": {"campaign_id": ids}, "options": {"skip": 2**63 - 1}})
    assert (past["total"], past["send_logs"]) == (5, [])


async def test_sends_that_begin_at_the_same_time_are_in_the_order_of_their_ids(api: Api) -> None:
    campaign_id = (await api.campaign())["id"]
    for step in range(12):
        await write_log(api, [row(campaign_id, "sent", step=step, queued_at=NOW)])
    ids = [int(one["_id"]) for one in await of_campaign(api, campaign_id)]
    assert ids == sorted(ids)
    assert len(ids) == 12


async def test_search_by_time_has_both_ends_in_it_and_normalises_dates(api: Api) -> None:
    ids, sends = await _five(api)
    between = {"$gte": "2026-04-21T19:02:45.123+02:00", "$lte": "2026-04-21T18:02:45.123999Z"}
    found = await search(api, {"find": {"campaign_id": ids, "startDeliveryAt": between}})
    assert found["send_logs"] == sends[1:3]
    normal = {"$gte": "2026-04-21T17:02:45.123Z", "$lte": "2026-04-21T18:02:45.123Z"}
    assert found["parsed"] == {
        "find": {"campaign_id": ids, "startDeliveryAt": normal},
        "options": {"skip": 0, "limit": 1000},
    }
    assert await search(api, found["parsed"]) == found
    just_after = {"$gte": "2026-04-21T17:02:45.1230001Z"}
    assert (await search(api, {"find": {"campaign_id": ids, "startDeliveryAt": just_after}}))["send_logs"] == sends[1:]
    just_after = {"$gte": "2026-04-21T17:02:45.123001Z"}
    assert (await search(api, {"find": {"campaign_id": ids, "startDeliveryAt": just_after}}))["send_logs"] == sends[2:]


async def test_an_empty_search_finds_all_of_the_workspace(api: Api) -> None:
    await _five(api)
    found = await search(api, {})
    assert found["parsed"] == {"find": {}, "options": {"skip": 0, "limit": 1000}}
    assert found["total"] == len(found["send_logs"]) >= 5
    assert (await search(api, {"find": {"campaign_id": []}}))["total"] == 0


WRONG: list[Any] = [
    [], 7, None, "x", {"found": {}}, {"find": []}, {"find": {"campaign": ["1"]}}, {"find": {"campaign_id": "1"}},
    {"find": {"campaign_id": [1]}}, {"find": {"campaign_id": ["x" * 256]}}, {"find": {"campaign_id": ["1"] * 1001}},
    {"find": {"startDeliveryAt": "2022-01-01"}}, {"find": {"startDeliveryAt": {"$gt": "2022-01-01T00:00:00Z"}}},
    {"find": {"startDeliveryAt": {"$gte": "yesterday"}}}, {"find": {"startDeliveryAt": {"$lte": 7}}},
    {"options": {"skip": -1}}, {"options": {"skip": 2**63}}, {"options": {"skip": "1"}}, {"options": {"skip": 1.5}},
    {"options": {"limit": 0}}, {"options": {"limit": 1001}}, {"options": {"limit": True}}, {"options": {"page": 1}},
    {"find": {"campaign_id": ["a\0b"]}},
]  # fmt: skip


@pytest.mark.parametrize("body", WRONG, ids=str)
async def test_a_search_that_is_wrong_is_a_400(api: Api, body: Any) -> None:
    error = await search(api, body, status=400)
    assert error["code"] == "invalid_request"
    assert error["message"]


async def test_what_is_not_json_is_a_400(api: Api) -> None:
    for content in (b"{", b"", b"\xff", b'{"find": NaN}'):
        answer = await api.client.post(
            "/send-logs/search", content=content, headers={"Content-Type": "application/json"}
        )
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_request"), content


@pytest.mark.parametrize("send_id", ["999999999", "0", "-1", "abc", "5f5a1d8d2e0e4c6c8c0c0c0c", "9" * 19, "9" * 40])
async def test_an_unknown_or_malformed_id_is_a_404(api: Api, send_id: str) -> None:
    error = await one(api, send_id, status=404)
    assert set(error) == {"code", "message"}
    assert error["code"] == "resource_not_found"


async def test_a_wrong_grouping_is_a_400_of_sends_that_are_there_only(api: Api) -> None:
    campaign_id = (await api.campaign())["id"]
    await write_log(api, [sent(campaign_id)])
    (found,) = await of_campaign(api, campaign_id)
    assert (await one(api, found["_id"], status=400, group_destinations="both"))["code"] == "invalid_request"
    assert (await one(api, "999999999", status=404, group_destinations="both"))["code"] == "resource_not_found"


async def test_another_workspaces_sends_are_nobodys(api: Api) -> None:
    campaign_id = (await api.campaign())["id"]
    await write_log(api, [sent(campaign_id)])
    (found,) = await of_campaign(api, campaign_id)
    await identity.bootstrap(api.database.dsn, workspace="stranger", email="stranger@example.com")
    token = await identity.create_token(api.database.dsn, "stranger@example.com", "t", ["*"])
    async with api.bearing(token) as client:
        for query in ({}, {"group_destinations": "list"}):
            answer = await client.get(f"/send-logs/{found['_id']}", params=query)
            assert (answer.status_code, answer.json()["error"]["code"]) == (404, "resource_not_found")
        answer = await client.post("/send-logs/search", json={"find": {"campaign_id": [str(campaign_id)]}})
        assert answer.json()["data"]["total"] == 0


async def test_without_a_token_or_the_ability_the_errors_have_this_shape(api: Api) -> None:
    async with api.bearing(None) as client:
        answer = await client.get("/send-logs/1")
    assert (answer.status_code, answer.json()["ok"], answer.json()["error"]["code"]) == (401, False, "unauthorized")
    async with api.bearing(await api.token_with("campaigns:read")) as client:
        for answer in (await client.get("/send-logs/1"), await client.post("/send-logs/search", json={})):
            assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden")


async def test_an_idempotency_key_repeats_the_first_answer(api: Api) -> None:
    ids, sends = await _five(api)
    body, key = {"find": {"campaign_id": ids}}, {"Idempotency-Key": "search-1"}
    first, again = [await api.client.post("/send-logs/search", json=body, headers=key) for _ in range(2)]
    assert first.json()["data"]["send_logs"] == sends
    assert again.json() == first.json()
    assert again.headers["Idempotent-Replayed"] == "true"
    error = await search(api, {}, status=400, headers=key)
    assert error["code"] == "invalid_request"


async def test_fifty_requests_a_minute_and_workspace(
    fresh_database: Callable[[], Database], provisioned_nats: NatsServer
) -> None:
    async with running_api(fresh_database(), provisioned_nats.url, send_logs_per_minute=50) as limited:
        other = await limited.token_with("logs:read")
        async with limited.bearing(other) as second:
            asked = [(limited.client, second)[number % 2].get("/send-logs/1") for number in range(70)]
            answers: list[httpx.Response] = await asyncio.gather(*asked)
    statuses = [answer.status_code for answer in answers]
    assert set(statuses) == {404, 429}
    assert 50 <= statuses.count(404) <= 55  # some may come back while they are made
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert refused.json()["error"]["code"] == "rate_limited"
    assert int(refused.headers["Retry-After"]) >= 1
    assert refused.headers["X-RateLimit-Limit"] == "50"
