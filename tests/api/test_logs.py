"""The logs endpoint: every parameter, and feeds that lose nothing. The seed's example is in test_seed_examples."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg
import pytest

from relaygram_api.adapters.log_pages import PLAIN_PAGES
from tests.api.log_rows import row, write_log
from tests.api.support import Api

STATES = ["sent", "failed", "queued", "sent", "retrying"]


@dataclass(frozen=True)
class Log:
    """A campaign with 250 rows, between those of another campaign."""

    api: Api
    campaign_id: int

    async def page(self, **params: Any) -> Any:
        return await self.api.call("GET", f"/campaigns/{self.campaign_id}/logs", params=params)

    async def ids(self, **params: Any) -> list[int]:
        return [one["id"] for one in (await self.page(**params))["data"]]

    async def wrong(self, **params: Any) -> list[str]:
        return list(await self.api.errors("GET", f"/campaigns/{self.campaign_id}/logs", params=params))


@pytest.fixture(scope="module")
async def log(api: Api) -> Log:
    campaign = (await api.campaign())["id"]
    other = (await api.campaign())["id"]
    for start in range(0, 250, 50):
        batch = []
        for number in range(start, start + 50):
            state = STATES[number % 5]
            error = {"error_code": "PEER_FLOOD", "error_message": "Wait."} if state == "failed" else {}
            batch.append(row(campaign, state, sender_id=1 + number % 10, body=f"Hello {number}", **error))
            batch.append(row(other, "sent"))
        await write_log(api, batch)
    return Log(api, campaign)


async def test_pages_without_filter_hold_all_rows_in_order(log: Log) -> None:
    first = await log.page()
    assert first["meta"]["pagination"] == {"current_page": 1, "per_page": 25, "total": 250, "last_page": 10}
    pages = [await log.page(page=number, per_page=100) for number in (1, 2, 3, 4)]
    assert [len(page["data"]) for page in pages] == [100, 100, 50, 0]
    bodies = [one["body"] for page in pages for one in page["data"]]
    assert bodies == [f"Hello {number}" for number in range(250)]
    ids = [one["id"] for page in pages for one in page["data"]]
    assert ids == sorted(ids)


async def test_the_order_can_be_turned_round(log: Log) -> None:
    newest = await log.page(order="desc", per_page=3)
    assert [one["body"] for one in newest["data"]] == ["Hello 249", "Hello 248", "Hello 247"]
    last = await log.page(order="desc", per_page=100, page=3)
    assert [one["body"] for one in last["data"]][-1] == "Hello 0"
    assert len(last["data"]) == 50


async def test_per_page_is_cut_to_two_hundred(log: Log) -> None:
    page = await log.page(per_page=100_000)
    assert (page["meta"]["pagination"]["per_page"], len(page["data"])) == (200, 200)


@pytest.mark.parametrize(("status", "total"), [("sent", 100), ("failed", 50), ("pending", 100)])
async def test_status_has_an_exact_total(log: Log, status: str, total: int) -> None:
    page = await log.page(status=status, per_page=200)
    assert page["meta"]["pagination"] == {"current_page": 1, "per_page": 200, "total": total, "last_page": 1}
    assert {one["status"] for one in page["data"]} == {status}
    assert len(page["data"]) == total


async def test_polling_by_since_id_loses_nothing(log: Log) -> None:
    seen: list[int] = []
    while page := await log.ids(since_id=seen[-1] if seen else 0, per_page=37):
        seen += page
    assert seen == await log.ids(per_page=200) + await log.ids(per_page=200, page=2)
    for between in (seen[10] - 1, seen[10]):
        found = await log.page(since_id=between)
        expected = 240 if between < seen[10] else 239
        assert found["meta"]["pagination"]["total"] == expected
        assert found["meta"]["pagination"]["total_is_capped"] is False
    assert await log.ids(since_id=2**63 - 1) == []


async def test_since_is_strict_and_takes_created_at_as_it_came(log: Log) -> None:
    rows = (await log.page(per_page=200))["data"]
    assert len({one["created_at"] for one in rows}) == 200
    found = await log.page(since=rows[99]["created_at"])
    assert found["data"][0]["id"] == rows[100]["id"]
    assert found["meta"]["pagination"]["total"] == 150
    offset = rows[99]["created_at"].replace("Z", "+00:00")
    assert (await log.ids(since=offset)) == [one["id"] for one in found["data"]]
    unescaped = await log.api.data("GET", f"/campaigns/{log.campaign_id}/logs?since={offset}")
    assert unescaped[0]["id"] == rows[100]["id"]
    assert len(await log.ids(since="2001-01-01")) == 25
    assert await log.ids(since="2999-01-01T00:00:00+02:00") == []


async def test_filters_go_together(log: Log) -> None:
    rows = (await log.page(per_page=200))["data"] + (await log.page(per_page=200, page=2))["data"]
    found = await log.page(sender_id=2, status="failed", since_id=rows[100]["id"], code="PEER_FLOOD", q="HELLO")
    expected = [one["id"] for one in rows[101:] if one["sender_id"] == 2 and one["status"] == "failed"]
    assert [one["id"] for one in found["data"]] == expected
    assert found["meta"]["pagination"]["total"] == len(expected) > 0
    assert [one["body"] for one in (await log.page(q="o 249"))["data"]] == ["Hello 249"]
    assert (await log.page(q="%"))["data"] == []
    backwards = await log.ids(sender_id=2, order="desc", per_page=200)
    assert backwards == sorted(backwards, reverse=True)


@pytest.mark.parametrize(
    "params", [{}, {"status": "failed"}, {"order": "desc"}, {"sender_id": 3}, {"changed_since": 0},
     {"status": "sent", "order": "desc"}],
)  # fmt: skip
async def test_the_cursor_walks_through_everything_once(log: Log, params: dict[str, Any]) -> None:
    page = await log.page(per_page=7, **params)
    seen = [one["id"] for one in page["data"]]
    while cursor := page["meta"]["cursor"]["next"]:
        page = await log.page(per_page=7, cursor=cursor, **params)
        seen += [one["id"] for one in page["data"]]
    assert len(seen) == len(set(seen)) == page["meta"]["pagination"]["total"]


async def test_a_cursor_is_for_the_filters_and_order_it_was_made_for(log: Log) -> None:
    cursor = (await log.page(per_page=7, status="sent"))["meta"]["cursor"]["next"]
    assert len(await log.ids(cursor=cursor, status="sent", per_page=3)) == 3  # another page size is no other list
    for other in (
        {}, {"status": "failed"}, {"status": "sent", "order": "desc"}, {"status": "sent", "sender_id": 3},
        {"status": "sent", "since_id": 1}, {"status": "sent", "changed_since": 0}, {"status": "sent", "q": "x"},
        {"status": "sent", "code": "x"}, {"status": "sent", "since": "2001-01-01T00:00:00Z"},
    ):  # fmt: skip
        assert await log.wrong(cursor=cursor, **other) == ["cursor"]
    assert await log.wrong(cursor=cursor, status="sent", page=2) == ["page"]
    another = (await log.api.campaign())["id"]
    params = {"cursor": cursor, "status": "sent"}
    assert list(await log.api.errors("GET", f"/campaigns/{another}/logs", params=params)) == ["cursor"]


async def test_a_page_that_is_read_while_rows_come_is_not_disturbed_by_them(api: Api) -> None:
    campaign = (await api.campaign())["id"]
    path = f"/campaigns/{campaign}/logs"
    await write_log(api, [row(campaign, "sent", body=str(number)) for number in range(5)])
    page = await api.call("GET", path, params={"order": "desc", "per_page": 3})
    await write_log(api, [row(campaign, "sent", body="new")])
    params = {"order": "desc", "per_page": 3, "cursor": page["meta"]["cursor"]["next"]}
    assert [one["body"] for one in await api.data("GET", path, params=params)] == ["1", "0"]


async def test_every_filter_goes_with_since(log: Log) -> None:
    rows = (await log.page(per_page=200))["data"]
    middle = rows[100]["created_at"]
    fit = [one["id"] for one in rows[101:] if one["status"] == "failed"]
    found = await log.page(since=middle, status="failed", code="PEER_FLOOD", per_page=200)
    assert [one["id"] for one in found["data"]][: len(fit)] == fit
    assert await log.ids(since=middle, since_id=rows[150]["id"], per_page=1) == [rows[151]["id"]]
    assert await log.ids(since=rows[150]["created_at"], since_id=rows[100]["id"], per_page=1) == [rows[151]["id"]]
    newest_first = await log.ids(since=middle, order="desc", per_page=200)
    assert newest_first[-1] == rows[101]["id"]
    changes = await log.ids(since=middle, changed_since=0, per_page=200)
    assert sorted(changes) == sorted(newest_first)


@pytest.mark.parametrize("code", ["PEER_FLOOD", "NETWORK", ""])
async def test_code_narrows_to_rows_that_failed_so(log: Log, code: str) -> None:
    found = await log.page(code=code, per_page=200)
    assert found["meta"]["pagination"]["total"] == (50 if code == "PEER_FLOOD" else 0)
    assert all(one["error"]["code"] == code for one in found["data"])


async def test_changed_since_is_a_feed_of_changes(api: Api) -> None:
    campaign = (await api.campaign())["id"]
    first, second = row(campaign, "queued"), row(campaign, "queued")
    await write_log(api, [first, second])
    path = f"/campaigns/{campaign}/logs"
    rows = await api.data("GET", path, params={"changed_since": 0})
    newest = max(one["revision"] for one in rows)
    assert await api.data("GET", path, params={"changed_since": newest}) == []
    await write_log(api, [{**first, "state": "sent", "rank": 4, "attempt": 1}])
    (changed,) = await api.data("GET", path, params={"changed_since": newest})
    assert (changed["job_id"], changed["status"], changed["attempts"]) == (str(first["job_id"]), "sent", 1)


@pytest.mark.parametrize(
    ("params", "wrong"),
    [
        ({"status": "delivered"}, "status"), ({"since": "yesterday"}, "since"),
        ({"since": "10000-01-01T00:00:00Z"}, "since"),
        ({"since": "0001-01-01T00:00:00+14:00"}, "since"), ({"since_id": -1}, "since_id"),
        ({"since_id": 2**63}, "since_id"),
        ({"since_id": "x"}, "since_id"), ({"sender_id": 0}, "sender_id"), ({"order": "up"}, "order"),
        ({"changed_since": "x"}, "changed_since"), ({"changed_since": 1, "order": "desc"}, "order"),
        ({"cursor": "x"}, "cursor"), ({"cursor": "é"}, "cursor"), ({"cursor": "NS5hYmNkZWYwMTIzNDU"}, "cursor"),
        ({"cursor": ""}, "cursor"), ({"q": "\0"}, "q"), ({"code": "x" * 256}, "code"),
        ({"page": 0}, "page"), ({"page": -1}, "page"), ({"page": "x"}, "page"), ({"page": "9" * 5000}, "page"),
        ({"per_page": 0}, "per_page"), ({"per_page": -5}, "per_page"), ({"per_page": "many"}, "per_page"),
        ({"sender_id": "@jane"}, "sender_id"), ({"sender_id": 2**63}, "sender_id"), ({"since": ""}, "since"),
        ({"changed_since": -1}, "changed_since"), ({"changed_since": 2**63}, "changed_since"),
        ({"status": "sent", "page": 401}, "page"), ({"q": "x", "per_page": 200, "page": 51}, "page"),
    ],
)  # fmt: skip
async def test_wrong_parameters_are_422_by_name(log: Log, params: dict[str, Any], wrong: str) -> None:
    assert await log.wrong(**params) == [wrong]


async def test_pages_are_deep_without_filter_and_end_at_row_ten_thousand_with_one(log: Log) -> None:
    assert (await log.page(page=10**12))["data"] == []
    assert (await log.page(status="sent", page=400))["data"] == []
    errors = await log.api.errors("GET", f"/campaigns/{log.campaign_id}/logs", params={"status": "sent", "page": 401})
    assert "cursor" in errors["page"][0]


async def test_totals_with_other_filters_stop_at_ten_thousand(api: Api) -> None:
    campaign = (await api.campaign())["id"]
    for _ in range(3):
        await write_log(api, [row(campaign, "sent", body="x") for _ in range(3400)])
    capped = (await api.call("GET", f"/campaigns/{campaign}/logs", params={"q": "x"}))["meta"]["pagination"]
    assert (capped["total"], capped["total_is_capped"], capped["last_page"]) == (10_000, True, 400)
    exact = (await api.call("GET", f"/campaigns/{campaign}/logs"))["meta"]["pagination"]
    assert exact == {"current_page": 1, "per_page": 25, "total": 10_200, "last_page": 408}
    last = await api.data("GET", f"/campaigns/{campaign}/logs", params={"page": 51, "per_page": 200})
    assert len(last) == 200


async def _looked_at(connection: "asyncpg.Connection[asyncpg.Record]") -> tuple[int, int]:
    """Rows of the log that this transaction scanned, and fetched by an index."""
    row = await connection.fetchrow(
        "select seq_tup_read, idx_tup_fetch from pg_stat_xact_all_tables where relid = 'delivery.messages'::regclass"
    )
    assert row is not None
    return row["seq_tup_read"], row["idx_tup_fetch"]


@pytest.fixture(scope="module", params=["none", "of before the campaign", "fresh"])
async def long_log(request: pytest.FixtureRequest, api: Api) -> int:
    """A campaign with 8,000 rows, and statistics of the log as they may be while it grows."""
    if request.param == "of before the campaign":
        other = (await api.campaign())["id"]
        await write_log(api, [row(other, "sent", body="x") for _ in range(4000)])
        await api.sql("analyze delivery.messages")
    campaign: int = (await api.campaign())["id"]
    for _ in range(2):
        await write_log(api, [row(campaign, "sent", body="x") for _ in range(4000)])
    if request.param == "fresh":
        await api.sql("analyze delivery.messages")
    return campaign


@asynccontextmanager
async def _looking(api: Api) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    """A transaction as the api, under row-level security: it is that which made a join of a probe a scan of all."""
    connection = await asyncpg.connect(
        api.database.api, server_settings={"relaygram.workspace_id": str(api.workspace_id)}
    )
    try:
        async with connection.transaction():
            yield connection
    finally:
        await connection.close()


@pytest.mark.parametrize("order", ["asc", "desc"])
async def test_a_deep_page_reads_no_more_than_it_shows(api: Api, long_log: int, order: str) -> None:
    async with _looking(api) as connection:
        _, *rows = await connection.fetch(PLAIN_PAGES[order], long_log, 7000, 26)
        looked_at = await _looked_at(connection)
    assert [one["position"] for one in (rows[0], rows[-1])] == ([7001, 7026] if order == "asc" else [1000, 975])
    assert looked_at == (0, 26)


@pytest.mark.parametrize("since", ["by id", "by time"])
async def test_polling_a_long_log_probes_an_index_some_twenty_times_and_reads_no_more(
    api: Api, long_log: int, since: str
) -> None:
    newest = (await api.data("GET", f"/campaigns/{long_log}/logs", params={"order": "desc", "per_page": 11}))[10]
    moment = datetime.fromisoformat(newest["created_at"])
    asked = (long_log, moment, None) if since == "by time" else (long_log, None, newest["id"])
    async with _looking(api) as connection:
        position = await connection.fetchval("select delivery.position_after($1, $2, $3)", *asked)
        scanned, probed = await _looked_at(connection)
    assert position == 7991
    assert scanned == 0
    assert 0 < probed < 30


async def test_a_campaign_without_rows_has_an_empty_log(api: Api) -> None:
    campaign = await api.campaign()
    for params in ({}, {"status": "sent"}, {"since_id": 5}, {"changed_since": 0}, {"q": "x"}):
        page = await api.call("GET", f"/campaigns/{campaign['id']}/logs", params=params)
        assert (page["data"], page["meta"]["pagination"]["total"], page["meta"]["pagination"]["last_page"]) == (
            [],
            0,
            1,
        )
