"""The seeds' own examples (campaigns, logs, send logs), request by request and field by field.

Ids, accounts and moments are this installation's; every other value of an answer is the example's. Fields that are
ours come in addition, never in place of the seeds'.
"""

import asyncio
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from tests.api.log_rows import row, write_log
from tests.api.support import Api

CAMPAIGN_FIELDS = [
    "id", "name", "mode", "trigger_keyword", "status", "telegram_account_id", "scheduled_at", "started_at",
    "completed_at", "total_contacts", "sent_count", "failed_count",
]  # fmt: skip
OUR_CAMPAIGN_FIELDS = [
    "body", "status_reason", "next_send_at", "waiting_for", "pending_count", "read_count", "reply_count", "created_at",
    "updated_at", "time_zone", "quiet_hours", "reference", "entity_id", "application_id", "attachments", "misfire",
]  # fmt: skip
LOG_FIELDS = [
    "id", "campaign_id", "sender_id", "direction", "body", "status", "telegram_message_id", "triggered_by_message_id",
    "sequence_step", "error", "sent_at", "created_at",
]  # fmt: skip
OUR_LOG_FIELDS = ["revision", "attempts", "read_at", "replied_at", "job_id"]
SUPPORT_TRIAGE: dict[str, Any] = {
    "name": "Support triage",
    "mode": "auto_reply",
    "trigger_keyword": "help",
    "body": "Hey! A human will follow up within one business hour.",
}
MOMENT_LENGTH = len("2026-04-18T09:14:02Z")


async def request(api: Api, method: str, path: str, **arguments: Any) -> httpx.Response:
    return await api.client.request(method, f"/api/v1{path}", **arguments)


async def pricing_replies(api: Api) -> dict[str, Any]:
    """The campaign of the seed's list: running, with 87 sent and 1 failed."""
    made: dict[str, Any] = await api.campaign(name="Pricing replies", mode="auto_reply", trigger_keyword="pricing")
    await api.call("POST", f"/campaigns/{made['id']}/start")
    rows = [row(made["id"], "sent", trigger="auto_reply") for _ in range(87)]
    await write_log(api, [*rows, row(made["id"], "failed", error_code="NETWORK")])
    return made


async def test_list_campaigns(api: Api) -> None:
    made = await pricing_replies(api)
    # Only one is running: as in the example, where it is the only one.
    answer = await request(api, "GET", "/campaigns?status=running")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    (campaign,) = body["data"]
    assert list(campaign)[:4] == CAMPAIGN_FIELDS[:4]
    assert set(campaign) == {*CAMPAIGN_FIELDS, *OUR_CAMPAIGN_FIELDS}
    assert {field: campaign[field] for field in CAMPAIGN_FIELDS} == {
        "id": made["id"],
        "name": "Pricing replies",
        "mode": "auto_reply",
        "trigger_keyword": "pricing",
        "status": "running",
        "telegram_account_id": made["telegram_account_id"],
        "scheduled_at": None,
        "started_at": campaign["started_at"],
        "completed_at": None,
        "total_contacts": 0,  # who wrote first is a sender, no contact
        "sent_count": 87,
        "failed_count": 1,
    }
    datetime.strptime(campaign["started_at"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    assert len(campaign["started_at"]) == MOMENT_LENGTH
    assert body["meta"]["pagination"] == {"current_page": 1, "per_page": 25, "total": 1, "last_page": 1}
    await api.call("POST", f"/campaigns/{made['id']}/stop")


async def test_create_a_campaign(api: Api) -> None:
    account_id = await api.account()
    answer = await request(api, "POST", "/campaigns", json={**SUPPORT_TRIAGE, "telegram_account_id": account_id})
    assert answer.status_code == 201
    assert set(answer.json()) == {"data", "meta"}
    assert answer.json()["meta"] == {}
    made = answer.json()["data"]
    assert {field: made[field] for field in [*CAMPAIGN_FIELDS, "body"]} == {
        **SUPPORT_TRIAGE,
        "id": made["id"],
        "status": "draft",
        "telegram_account_id": account_id,
        "scheduled_at": None,
        "started_at": None,
        "completed_at": None,
        "total_contacts": 0,
        "sent_count": 0,
        "failed_count": 0,
    }
    assert isinstance(made["id"], int)


async def test_fetch_one(api: Api) -> None:
    made = await api.campaign(**SUPPORT_TRIAGE)
    answer = await request(api, "GET", f"/campaigns/{made['id']}")
    assert (answer.status_code, answer.json()) == (200, {"data": made, "meta": {}})


async def test_update_only_the_supplied_fields(api: Api) -> None:
    made = await api.campaign(**SUPPORT_TRIAGE)
    answer = await request(api, "PUT", f"/campaigns/{made['id']}", json={"trigger_keyword": "price"})
    changed = answer.json()["data"]
    assert answer.status_code == 200
    assert changed == {**made, "trigger_keyword": "price", "updated_at": changed["updated_at"]}
    # "Same payload shape as create": all of it is taken too.
    whole = {**SUPPORT_TRIAGE, "telegram_account_id": made["telegram_account_id"]}
    again = (await request(api, "PUT", f"/campaigns/{made['id']}", json=whole)).json()["data"]
    assert again == {**made, "updated_at": again["updated_at"]}


async def test_delete_is_soft(api: Api) -> None:
    made = await api.campaign(**SUPPORT_TRIAGE)
    await api.call("POST", f"/campaigns/{made['id']}/start")
    await write_log(api, [row(made["id"], "sent", body="x")])
    answer = await request(api, "DELETE", f"/campaigns/{made['id']}")
    assert (answer.status_code, answer.content) == (204, b"")
    # A request on the wire completes, and its outcome still gets into the log.
    await write_log(api, [row(made["id"], "sent", body="y")])
    assert made["id"] not in [one["id"] for one in await api.data("GET", "/campaigns?per_page=100")]
    assert [one["body"] for one in await api.data("GET", f"/campaigns/{made['id']}/logs")] == ["x", "y"]


async def test_lifecycle_controls_are_idempotent(api: Api) -> None:
    made = await api.campaign(**SUPPORT_TRIAGE)
    path = f"/campaigns/{made['id']}"
    for action, status in (("start", "running"), ("pause", "paused"), ("start", "running"), ("stop", "stopped")):
        first, again = [await request(api, "POST", f"{path}/{action}") for _ in range(2)]
        assert (first.status_code, again.status_code) == (200, 200)
        assert first.json()["data"]["status"] == status
        assert again.json() == first.json()
    refused = await request(api, "POST", f"{path}/start")
    assert refused.status_code == 409  # "the campaign cannot be restarted"


@pytest.mark.parametrize(
    ("ability", "calls"),
    [
        ("campaigns:read", {("GET", "")}),
        ("campaigns:write", {("PUT", "")}),
        ("campaigns:control", {("POST", "/start"), ("POST", "/pause"), ("POST", "/stop")}),
        ("logs:read", {("GET", "/logs")}),
        ("senders:read", {("GET", "/senders")}),
    ],
)
async def test_each_verb_needs_its_ability(api: Api, ability: str, calls: set[tuple[str, str]]) -> None:
    made = await api.campaign(**SUPPORT_TRIAGE)
    every: list[tuple[str, str]] = [
        ("GET", ""), ("PUT", ""), ("POST", "/start"), ("POST", "/pause"), ("POST", "/stop"), ("GET", "/logs"),
        ("GET", "/senders"),
    ]  # fmt: skip
    async with api.bearing(await api.token_with(ability)) as client:
        for method, below in every:
            body = {"name": "x"} if method == "PUT" else None
            answer = await client.request(method, f"/api/v1/campaigns/{made['id']}{below}", json=body)
            assert answer.status_code == (200 if (method, below) in calls else 403), (method, below, answer.text)


async def log_of_the_example(api: Api) -> int:
    """A campaign whose log has 1243 sent rows, the last as in the example, and a failed one."""
    campaign_id: int = (await api.campaign(mode="auto_reply", trigger_keyword="pricing"))["id"]
    jane = row(
        campaign_id, "sent", sender_id=904, body="Hey Jane, happy to send pricing over.", trigger="auto_reply",
        telegram_message_id=1827361234, triggered_by_message_id=1827361231,
        sent_at=datetime(2026, 4, 21, 16, 2, 45, tzinfo=UTC),
    )  # fmt: skip
    refused = row(
        campaign_id, "failed", sender_id=905, error_code="USER_PRIVACY_RESTRICTED", error_permanent=True,
        error_message="The recipient has blocked messages from non-contacts.",
    )  # fmt: skip
    await write_log(api, [jane, refused, *(row(campaign_id, "sent") for _ in range(1242))])
    return campaign_id


async def test_list_logs(api: Api) -> None:
    campaign_id = await log_of_the_example(api)
    answer = await request(api, "GET", f"/campaigns/{campaign_id}/logs?status=sent&per_page=100")
    assert answer.status_code == 200
    body = answer.json()
    assert body["meta"]["pagination"] == {"current_page": 1, "per_page": 100, "total": 1243, "last_page": 13}
    assert len(body["data"]) == 100
    jane = body["data"][0]
    assert list(jane) == [*LOG_FIELDS, *OUR_LOG_FIELDS]
    assert {field: jane[field] for field in LOG_FIELDS} == {
        "id": jane["id"],
        "campaign_id": campaign_id,
        "sender_id": 904,
        "direction": "outbound",
        "body": "Hey Jane, happy to send pricing over.",
        "status": "sent",
        "telegram_message_id": "1827361234",
        "triggered_by_message_id": "1827361231",
        "sequence_step": 0,
        "error": None,
        "sent_at": "2026-04-21T16:02:45.000000Z",  # the same moment; ours have six digits always
        "created_at": jane["created_at"],
    }
    assert isinstance(jane["id"], int)
    assert datetime.fromisoformat(jane["created_at"]).tzinfo is UTC


async def test_understanding_failures(api: Api) -> None:
    campaign_id = await log_of_the_example(api)
    (failed,) = await api.data("GET", f"/campaigns/{campaign_id}/logs?status=failed")
    assert {"status": failed["status"], "error": failed["error"]} == {
        "status": "failed",
        "error": {
            "code": "USER_PRIVACY_RESTRICTED",
            "message": "The recipient has blocked messages from non-contacts.",
        },
    }
    assert (failed["sent_at"], failed["telegram_message_id"], failed["triggered_by_message_id"]) == (None, None, None)


async def test_a_single_contacts_conversation(api: Api) -> None:
    campaign_id = await log_of_the_example(api)
    (jane,) = await api.data("GET", f"/campaigns/{campaign_id}/logs?sender_id=904")
    assert jane["sender_id"] == 904


async def test_polling_by_the_largest_id_seen(api: Api) -> None:
    campaign_id: int = (await api.campaign(**SUPPORT_TRIAGE))["id"]
    path = f"/campaigns/{campaign_id}/logs"
    written, seen = 0, list[dict[str, Any]]()

    async def write() -> None:
        nonlocal written
        for _ in range(20):
            await write_log(api, [row(campaign_id, "sent", body=str(written + number)) for number in range(3)])
            written += 3

    writing = asyncio.create_task(write())
    while not writing.done() or len(seen) < written:
        since_id = max((one["id"] for one in seen), default=0)
        seen += await api.data("GET", path, params={"since_id": since_id})
    await writing
    assert [one["body"] for one in seen] == [str(number) for number in range(60)]


SEND_LOG_FIELDS = ["_id", "campaign_id", "message", "triggeredBy", "startDeliveryAt", "destinations"]


async def a_send_of_january(api: Api) -> int:
    """A campaign that was sent to three people in January 2022; its id."""
    campaign_id: int = (await api.campaign(name="January", body="Happy new year, {{first_name}}"))["id"]
    at = datetime(2022, 1, 14, 9, 0, tzinfo=UTC)
    people = ["@jane_doe", "@john_doe", None]  # the last one without a handle
    rows = [
        row(campaign_id, "sent", destination=handle, recipient_id=5550199, sent_at=at, queued_at=at)
        for handle in people
    ]
    await write_log(api, rows)
    return campaign_id


async def test_view_a_single_send_log(api: Api) -> None:
    campaign_id = await a_send_of_january(api)
    body = {"find": {"campaign_id": [str(campaign_id)]}}
    (found,) = (await api.client.post("/send-logs/search", json=body)).json()["data"]["send_logs"]
    counted = await api.client.get(f"/send-logs/{found['_id']}?group_destinations=count")
    assert counted.status_code == 200
    assert counted.headers["content-type"] == "application/json"
    assert counted.json() == {"ok": True, "data": found}
    listed = await api.client.get(f"/send-logs/{found['_id']}", params={"group_destinations": "list"})
    assert listed.status_code == 200
    assert listed.headers["content-type"] == "application/json"
    people = ["@jane_doe", "@john_doe", "5550199"]  # never a cell number
    assert listed.json() == {"ok": True, "data": {**found, "destinations": people}}


async def test_an_unknown_send_log(api: Api) -> None:
    answer = await api.client.get("/send-logs/5f5a1d8d2e0e4c6c8c0c0c0c")
    assert answer.status_code == 404
    body = answer.json()
    assert body == {
        "ok": False,
        "error": {"code": "resource_not_found", "message": body["error"]["message"]},
    }
    assert isinstance(body["error"]["message"], str)


async def test_search_for_send_logs(api: Api) -> None:
    january = {"$gte": "2022-01-01T00:00:00.000Z", "$lte": "2022-01-31T23:59:59.999Z"}
    example: dict[str, Any] = {
        "find": {"campaign_id": ["5f5a1d8d2e0e4c6c8c0c0c0c"], "startDeliveryAt": january},
        "options": {"skip": 0, "limit": 1000},
    }
    answer = await api.client.post("/send-logs/search", json=example)
    # That id is none of ours.
    assert (answer.status_code, answer.json()) == (
        200,
        {"ok": True, "data": {"total": 0, "send_logs": [], "parsed": example}},
    )
    campaign_id = await a_send_of_january(api)
    ours = {**example, "find": {**example["find"], "campaign_id": [str(campaign_id)]}}
    body = (await api.client.post("/send-logs/search", json=ours)).json()
    (found,) = body["data"]["send_logs"]
    assert list(found) == SEND_LOG_FIELDS
    assert body == {
        "ok": True,
        "data": {
            "total": 1,
            "send_logs": [
                {
                    "_id": found["_id"],
                    "campaign_id": str(campaign_id),
                    "message": "Happy new year, {{first_name}}",
                    "triggeredBy": "broadcast",
                    "startDeliveryAt": "2022-01-14T09:00:00.000Z",
                    "destinations": 3,
                }
            ],
            "parsed": ours,
        },
    }
    assert isinstance(found["_id"], str)
