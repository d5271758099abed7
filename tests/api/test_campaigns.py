"""Campaigns as the seeds and the contract say: fields, list, partial update, soft delete."""

from typing import Any

import pytest

from relaygram_api.core.campaign_rules import template_problem
from tests.api.log_rows import row, write_log
from tests.api.support import Api

# The fields of the seed's example, in its order, then ours.
SEED_FIELDS = [
    "id", "name", "mode", "trigger_keyword", "status", "telegram_account_id", "scheduled_at", "started_at",
    "completed_at", "total_contacts", "sent_count", "failed_count",
]  # fmt: skip
OUR_FIELDS = [
    "status_reason", "next_send_at", "waiting_for", "pending_count", "read_count", "reply_count", "created_at",
    "updated_at", "time_zone", "quiet_hours", "reference", "entity_id", "application_id", "attachments",
]  # fmt: skip


async def test_the_seeds_create_and_list_examples(api: Api) -> None:
    account_id = await api.account()
    answer = await api.call(
        "POST",
        "/campaigns",
        status=201,
        json={
            "name": "Support triage",
            "mode": "auto_reply",
            "trigger_keyword": "help",
            "telegram_account_id": account_id,
            "body": "Hey! A human will follow up within one business hour.",
        },
    )
    made = answer["data"]
    assert answer["meta"] == {}
    assert set(made) == {*SEED_FIELDS, "body", *OUR_FIELDS}
    assert [made[field] for field in SEED_FIELDS[1:]] == [
        "Support triage", "auto_reply", "help", "draft", account_id, None, None, None, 0, 0, 0,
    ]  # fmt: skip
    listed = await api.call("GET", "/campaigns")
    assert listed["data"][0] == made
    assert set(listed["meta"]) == {"pagination", "cursor"}
    assert set(listed["meta"]["pagination"]) == {"current_page", "per_page", "total", "last_page"}
    assert listed["meta"]["pagination"]["per_page"] == 25
    started = await api.data("POST", f"/campaigns/{made['id']}/start")
    assert started["started_at"].endswith("Z")
    assert len(started["started_at"]) == len("2026-04-18T09:14:02Z")


async def test_the_seeds_partial_update_example(api: Api) -> None:
    made = await api.campaign(mode="auto_reply", trigger_keyword="pricing")
    changed = await api.data("PUT", f"/campaigns/{made['id']}", json={"trigger_keyword": "price"})
    assert changed == {**made, "trigger_keyword": "price", "updated_at": changed["updated_at"]}
    assert await api.data("PATCH", f"/campaigns/{made['id']}", json={}) == changed


async def test_all_writable_fields_come_back(api: Api) -> None:
    fields: dict[str, Any] = {
        "time_zone": "Europe/Berlin",
        "quiet_hours": {"start": "21:00", "end": "08:00"},
        "reference": "spring",
        "entity_id": "e-1",
        "application_id": "app",
        "scheduled_at": "2999-01-01T12:00:00+02:00",
    }
    made = await api.campaign(**fields)
    assert {field: made[field] for field in fields} == {**fields, "scheduled_at": "2999-01-01T10:00:00Z"}
    cleared = await api.data("PUT", f"/campaigns/{made['id']}", json=dict.fromkeys(fields))
    assert all(cleared[field] is None for field in fields)


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"name": ""}, ["name"]),
        ({"name": " "}, ["name"]),
        ({"name": "x" * 256}, ["name"]),
        ({"name": None}, ["name"]),
        ({"mode": "sequence"}, ["mode"]),
        ({"mode": "auto_reply"}, ["trigger_keyword"]),
        ({"trigger_keyword": "x"}, ["trigger_keyword"]),
        ({"telegram_account_id": 0}, ["telegram_account_id"]),
        ({"telegram_account_id": 999999}, ["telegram_account_id"]),
        ({"telegram_account_id": 2**63}, ["telegram_account_id"]),
        ({"telegram_account_id": 10**40}, ["telegram_account_id"]),
        ({"telegram_account_id": "1"}, ["telegram_account_id"]),
        ({"telegram_account_id": True}, ["telegram_account_id"]),
        ({"body": ""}, ["body"]),
        ({"body": "\u200b{{"}, ["body"]),
        ({"body": "x" * 4097}, ["body"]),
        ({"body": "\U0001f600" * 2049}, ["body"]),
        ({"scheduled_at": "2001-01-01T00:00:00Z"}, ["scheduled_at"]),
        ({"scheduled_at": "tomorrow"}, ["scheduled_at"]),
        ({"scheduled_at": 4102444800}, ["scheduled_at"]),
        ({"scheduled_at": "10000-01-01T00:00:00Z"}, ["scheduled_at"]),
        ({"scheduled_at": "9999-12-31T23:59:59-12:00"}, ["scheduled_at"]),
        ({"time_zone": "Mars/Base"}, ["time_zone"]),
        ({"time_zone": "../etc/passwd"}, ["time_zone"]),
        ({"quiet_hours": {"start": "24:00", "end": "08:00"}}, ["quiet_hours.start"]),
        ({"quiet_hours": {"start": "21:00"}}, ["quiet_hours.end"]),
        ({"quiet_hours": {"start": "21:00", "end": "21:00"}}, ["quiet_hours"]),
        ({"quiet_hours": "21:00-08:00"}, ["quiet_hours"]),
        ({"status": "running", "sent": 1}, ["status", "sent"]),
    ],
)
async def test_what_can_not_be_saved_is_422_field_by_field(api: Api, fields: dict[str, Any], wrong: list[str]) -> None:
    body = {"name": "A", "mode": "broadcast", "body": "Hello", "telegram_account_id": await api.account(), **fields}
    assert list(await api.errors("POST", "/campaigns", json=body)) == wrong


async def test_every_missing_field_is_named(api: Api) -> None:
    assert set(await api.errors("POST", "/campaigns", json={})) == {"name", "mode", "telegram_account_id", "body"}
    assert await api.errors("POST", "/campaigns", json=[]) == {"body": ["must be a JSON object"]}


@pytest.mark.parametrize(
    ("body", "is_good"),
    [
        ("Hello", True),
        ("Hello {{first_name}} {{ handle }} {{Free column|you}} {{a|}}", True),
        ("One { brace } and }} alone", True),
        ("\U0001f600" * 2048, True),
        ("مرحبا e\u0301", True),
        ("{{first_name", False),
        ("{{}}", False),
        ("{{1st}}", False),
        ("{{a|b|{c}}}", False),
        ("{{a {{b}} }}", False),
    ],
)
def test_templates_must_be_well_formed(body: str, is_good: bool) -> None:
    assert (template_problem(body) is None) == is_good


async def test_account_and_mode_change_in_draft_only(api: Api) -> None:
    campaign, other = await api.broadcast(), await api.account()
    path = f"/campaigns/{campaign['id']}"
    changed = await api.data("PUT", path, json={"telegram_account_id": other})
    assert changed["telegram_account_id"] == other
    changed = await api.data("PUT", path, json={"mode": "auto_reply", "trigger_keyword": "hi"})
    changed = await api.data("PUT", path, json={"mode": "broadcast"})
    assert changed["trigger_keyword"] is None
    await api.call("POST", f"{path}/start")
    refused = await api.call("PUT", path, status=409, json={"telegram_account_id": campaign["telegram_account_id"]})
    assert "telegram_account_id" in refused["message"]
    assert "running" in refused["message"]
    await api.call("PUT", path, status=409, json={"mode": "auto_reply", "trigger_keyword": "hi"})
    same = await api.data("PUT", path, json={"telegram_account_id": other, "mode": "broadcast", "body": "New"})
    assert same["body"] == "New"
    await api.call("POST", f"{path}/stop")
    assert "stopped" in (await api.call("PUT", path, status=409, json={"name": "B"}))["message"]


async def test_lists_filter_by_status_mode_and_name(api: Api) -> None:
    odd = await api.campaign(name="100%_odd \\ Ünïcode")
    for params in ({"q": "100%_ODD"}, {"q": "ÜNÏ"}, {"q": "\\"}, {"q": "odd", "status": "draft", "mode": "broadcast"}):
        assert [row["id"] for row in await api.data("GET", "/campaigns", params=params)] == [odd["id"]]
    assert await api.data("GET", "/campaigns", params={"q": "100__odd"}) == []
    assert await api.data("GET", "/campaigns", params={"q": "odd", "status": "running"}) == []
    assert await api.data("GET", "/campaigns", params={"q": "odd", "mode": "auto_reply"}) == []
    assert set(await api.errors("GET", "/campaigns?status=x&mode=y")) == {"status", "mode"}


async def test_lists_are_cut_to_a_hundred_and_empty_past_the_end(api: Api) -> None:
    cut = await api.call("GET", "/campaigns", params={"per_page": 101})
    assert cut["meta"]["pagination"]["per_page"] == 100
    past = await api.call("GET", "/campaigns", params={"page": 99999})
    assert (past["data"], past["meta"]["pagination"]["current_page"]) == ([], 99999)
    none = await api.call("GET", "/campaigns", params={"q": "no such name"})
    assert none["meta"]["pagination"] == {"current_page": 1, "per_page": 25, "total": 0, "last_page": 1}


async def test_a_deleted_campaign_leaves_the_lists_and_its_log_stays(api: Api) -> None:
    campaign = await api.broadcast()
    path = f"/campaigns/{campaign['id']}"
    await api.call("POST", f"{path}/start")
    await write_log(api, [row(campaign["id"], "sent", body="x")])
    await api.call("DELETE", path, status=204)
    for method, below in (
        ("GET", ""), ("DELETE", ""), ("POST", "/start"), ("POST", "/pause"), ("POST", "/stop"), ("GET", "/senders"),
    ):  # fmt: skip
        await api.call(method, path + below, status=404)
    await api.call("PUT", path, status=404, json={"name": "x"})
    assert campaign["id"] not in [one["id"] for one in await api.data("GET", "/campaigns?per_page=100")]
    assert len(await api.data("GET", f"{path}/logs")) == 1


async def test_counts_come_from_the_logs_counters(api: Api) -> None:
    campaign = await api.broadcast(contacts=5)
    one = campaign["id"]
    states = ["sent", "sent", "failed", "queued", "read"]
    await write_log(api, [row(one, state, sender_id=index + 1) for index, state in enumerate(states)])
    found = await api.data("GET", f"/campaigns/{one}")
    counts = ("total_contacts", "sent_count", "failed_count", "pending_count", "read_count", "reply_count")
    assert [found[count] for count in counts] == [5, 3, 1, 1, 1, 0]
    more = await api.import_csv(one, "handle\nanother_one\n")
    assert more["accepted"] == 1
    assert (await api.data("GET", f"/campaigns/{one}"))["pending_count"] == 2
    stopped = await api.data("POST", f"/campaigns/{one}/stop")
    assert stopped["pending_count"] == 1
