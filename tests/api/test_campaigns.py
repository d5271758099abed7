"""Campaigns as the seeds and the contract say: fields, list, partial update, soft delete."""

from typing import Any

import pytest

from relaygram_common.templates import template_problem
from tests.api.log_rows import row, write_log
from tests.api.support import Api


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
        ("One { brace } and } alone", True),
        ("One { brace } and }} alone", False),
        ("\U0001f600" * 2048, True),
        ("مرحبا e\u0301", True),
        ("{{first_name", False),
        ("{{}}", False),
        ("{{1st}} {{Größe}}", True),
        ("{{a|b|{c}}}", False),
        ("{{a {{b}} }}", False),
    ],
)
def test_templates_must_be_well_formed(body: str, is_good: bool) -> None:
    assert (template_problem(body) is None) == is_good


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
async def test_only_the_supplied_fields_change(api: Api, method: str) -> None:
    made = await api.campaign(reference="spring", time_zone="Asia/Tokyo")
    path = f"/campaigns/{made['id']}"
    assert await api.data(method, path, json={}) == made
    for change in (
        {"name": "Other"},
        {"body": "New"},
        {"reference": None},
        {"quiet_hours": {"start": "22:00", "end": "06:00"}},
    ):
        before = await api.data("GET", path)
        after = await api.data(method, path, json=change)
        assert after == {**before, **change, "updated_at": after["updated_at"]}


@pytest.mark.parametrize("field", ["name", "mode", "telegram_account_id", "body"])
async def test_null_clears_no_field_that_must_be_there(api: Api, field: str) -> None:
    made = await api.campaign()
    assert list(await api.errors("PUT", f"/campaigns/{made['id']}", json={field: None})) == [field]


async def test_an_auto_reply_keeps_its_keyword(api: Api) -> None:
    made = await api.campaign(mode="auto_reply", trigger_keyword="hi")
    path = f"/campaigns/{made['id']}"
    assert list(await api.errors("PUT", path, json={"trigger_keyword": None})) == ["trigger_keyword"]
    broadcast = await api.campaign()
    wrong = await api.errors("PUT", f"/campaigns/{broadcast['id']}", json={"mode": "auto_reply"})
    assert list(wrong) == ["trigger_keyword"]


async def test_unknown_fields_of_a_change_are_named(api: Api) -> None:
    made = await api.campaign()
    wrong = await api.errors("PUT", f"/campaigns/{made['id']}", json={"status": "running", "sent_count": 5, "id": 1})
    assert set(wrong) == {"status", "sent_count", "id"}


@pytest.mark.parametrize("end", ["stopped", "completed"])
async def test_what_has_ended_can_not_be_changed(api: Api, end: str) -> None:
    campaign = await api.broadcast(contacts=1)
    path = f"/campaigns/{campaign['id']}"
    await api.call("POST", f"{path}/start")
    moved = "select outcome from control.transition($1, $2, $3, 'x')"
    action = {"stopped": "stop", "completed": "complete"}[end]
    await api.sql(moved, api.workspace_id, campaign["id"], action, role="relaygram_dispatcher")
    before = await api.data("GET", path)
    refused = await api.call("PUT", path, status=409, json={"name": "B"})
    assert refused["code"] == "not_changeable"
    assert end in refused["message"]
    await api.call("PATCH", path, status=409, json={})
    assert await api.data("GET", path) == before


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


async def test_lists_are_newest_first_and_walked_by_page_or_cursor(api: Api) -> None:
    account_id = await api.account()
    made = [(await api.campaign(account_id, name=f"Walk {number}"))["id"] for number in range(7)]
    pages = [await api.data("GET", "/campaigns", params={"q": "walk", "per_page": 3, "page": n}) for n in (1, 2, 3, 4)]
    assert [one["id"] for page in pages for one in page] == made[::-1]
    page = await api.call("GET", "/campaigns", params={"q": "walk", "per_page": 3})
    seen = [one["id"] for one in page["data"]]
    newer = (await api.campaign(account_id, name="Walk on"))["id"]  # a cursor neither skips nor repeats
    while cursor := page["meta"]["cursor"]["next"]:
        page = await api.call("GET", "/campaigns", params={"q": "walk", "per_page": 2, "cursor": cursor})
        seen += [one["id"] for one in page["data"]]
    assert seen == made[::-1]
    assert newer not in seen
    assert page["meta"]["pagination"]["total"] == 8


async def test_a_cursor_is_for_the_list_it_was_made_for(api: Api) -> None:
    for number in range(3):
        await api.campaign(name=f"List {number}")
    page = await api.call("GET", "/campaigns", params={"q": "list", "per_page": 1})
    cursor = page["meta"]["cursor"]["next"]
    assert await api.data("GET", "/campaigns", params={"q": "list", "cursor": cursor})
    for other in ({}, {"q": "lists"}, {"q": "list", "mode": "broadcast"}, {"q": "list", "status": "draft"}):
        wrong = await api.errors("GET", "/campaigns", params={**other, "cursor": cursor})
        assert list(wrong) == ["cursor"]
    with_page = await api.errors("GET", "/campaigns", params={"q": "list", "cursor": cursor, "page": 2})
    assert list(with_page) == ["page"]
    log = await api.errors("GET", f"/campaigns/{page['data'][0]['id']}/logs", params={"cursor": cursor})
    assert list(log) == ["cursor"]


@pytest.mark.parametrize(
    ("params", "wrong"),
    [
        ({"per_page": 0}, "per_page"), ({"per_page": -1}, "per_page"), ({"per_page": "x"}, "per_page"),
        ({"per_page": ""}, "per_page"), ({"per_page": "1.5"}, "per_page"), ({"per_page": "9" * 5000}, "per_page"),
        ({"page": 0}, "page"), ({"page": -1}, "page"), ({"page": "x"}, "page"), ({"page": 2**63}, "page"),
        ({"page": "9" * 5000}, "page"), ({"status": "deleted"}, "status"), ({"mode": "sequence"}, "mode"),
        ({"q": "\0"}, "q"), ({"q": "x" * 256}, "q"), ({"cursor": "x"}, "cursor"), ({"cursor": ""}, "cursor"),
        ({"cursor": "é"}, "cursor"), ({"cursor": "LTE.AAAA"}, "cursor"), ({"cursor": "MS54"}, "cursor"),
    ],
)  # fmt: skip
async def test_wrong_list_parameters_are_422_by_name(api: Api, params: dict[str, Any], wrong: str) -> None:
    assert list(await api.errors("GET", "/campaigns", params=params)) == [wrong]


async def test_lists_are_cut_to_a_hundred_and_empty_past_the_end(api: Api) -> None:
    cut = await api.call("GET", "/campaigns", params={"per_page": 101})
    assert cut["meta"]["pagination"]["per_page"] == 100
    cut = await api.call("GET", "/campaigns", params={"per_page": 10**30})
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
