"""`GET /logs`: the log of all campaigns, by cursor only, however little of it fits a filter."""

import re
from dataclasses import dataclass
from typing import Any

import asyncpg
import pytest

from relaygram_api.adapters import pg_logs
from relaygram_common.database.statements import Statements
from tests.api.log_rows import row, write_log
from tests.api.support import Api

STATEMENTS = Statements("relaygram_api")


@dataclass(frozen=True)
class AllLogs:
    """Two campaigns with 60 rows in turn, one of them deleted, a test send, and another workspace's rows between."""

    api: Api
    campaigns: tuple[int, int]

    async def page(self, **params: Any) -> Any:
        return await self.api.call("GET", "/logs", params=params)

    async def walk(self, **params: Any) -> list[list[dict[str, Any]]]:
        """All pages."""
        page = await self.page(**params)
        pages = [page["data"]]
        while cursor := page["meta"]["cursor"]["next"]:
            page = await self.page(cursor=cursor, **params)
            pages.append(page["data"])
        return pages

    async def bodies(self, **params: Any) -> list[str]:
        return [one["body"] for page in await self.walk(**params) for one in page]


@pytest.fixture(scope="module")
async def logs(api: Api) -> AllLogs:
    first, second = (await api.campaign())["id"], (await api.campaign())["id"]
    other = await api.sql("insert into control.workspaces (name) values ('other') returning id")
    for start in range(0, 60, 10):
        batch = [row(0, "sent", body="a test send"), row(77_777, "sent", body="theirs", workspace_id=other)]
        for number in range(start, start + 10):
            fields = {"sender_id": 1 + number % 3, "body": f"Hello {number}"}
            if number % 10 == 5:
                batch.append(row(first, "failed", error_code="NETWORK", **fields))
            else:
                batch.append(row((first, second)[number % 2], "sent", **fields))
        await write_log(api, batch)
    await api.call("DELETE", f"/campaigns/{second}", status=204)
    return AllLogs(api, (first, second))


@pytest.fixture
def few_looked_at(monkeypatch: pytest.MonkeyPatch) -> int:
    """A request looks at seven rows only, so that sixty are many."""
    monkeypatch.setattr(pg_logs, "MOST_LOOKED_AT", 7)
    return 7


ALL = [f"Hello {number}" for number in range(60)]


@pytest.mark.parametrize("per_page", [1, 7, 25, 60, 200])
async def test_all_campaigns_rows_come_once_in_order(logs: AllLogs, per_page: int) -> None:
    assert await logs.bodies(per_page=per_page) == ALL
    assert await logs.bodies(per_page=per_page, order="desc") == ALL[::-1]


async def test_rows_are_as_in_a_campaigns_own_log_and_there_is_no_total(logs: AllLogs) -> None:
    page = await logs.page(per_page=200)
    assert page["meta"] == {"cursor": {"next": None}}
    for campaign_id in logs.campaigns:
        own = await logs.api.data("GET", f"/campaigns/{campaign_id}/logs", params={"per_page": 200})
        assert [one for one in page["data"] if one["campaign_id"] == campaign_id] == own


async def test_every_filter_finds_the_same_rows_however_few_are_looked_at(
    logs: AllLogs, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = (await logs.page(per_page=200))["data"]
    filters: list[dict[str, Any]] = [
        {}, {"status": "failed"}, {"status": "pending"}, {"sender_id": 2}, {"code": "NETWORK"}, {"q": "LLO 5"},
        {"since": rows[40]["created_at"]}, {"since": rows[59]["created_at"]}, {"since": "2001-01-01T00:00:00Z"},
        {"status": "sent", "sender_id": 1, "since": rows[9]["created_at"], "q": "1"},
    ]  # fmt: skip
    expected = [await logs.bodies(**narrowed, per_page=200) for narrowed in filters]
    assert [len(bodies) for bodies in expected] == [60, 6, 0, 20, 6, 11, 19, 0, 60, 4]
    monkeypatch.setattr(pg_logs, "MOST_LOOKED_AT", 7)
    for narrowed, bodies in zip(filters, expected, strict=True):
        assert await logs.bodies(**narrowed, per_page=3) == bodies
        assert await logs.bodies(**narrowed, per_page=3, order="desc") == bodies[::-1]


async def test_a_page_may_be_empty_while_the_cursor_goes_on(logs: AllLogs, few_looked_at: int) -> None:
    pages = await logs.walk(q="Hello 59")
    assert [len(page) for page in pages] == [0] * (len(pages) - 1) + [1]
    assert len(pages) > 60 // few_looked_at


async def test_the_last_cursor_asked_again_gives_what_has_come_since(logs: AllLogs, api: Api) -> None:
    newest = (await logs.page(order="desc", per_page=1))["data"][0]
    first, _ = logs.campaigns
    await write_log(api, [row(first, "sent", body=f"later {number}") for number in range(4)])
    page = await logs.page(since=newest["created_at"], per_page=3)
    cursor = page["meta"]["cursor"]["next"]
    params = {"since": newest["created_at"], "per_page": 3, "cursor": cursor}
    assert [one["body"] for one in (await logs.page(**params))["data"]] == ["later 3"]
    await write_log(api, [row(first, "sent", body="later still")])
    assert [one["body"] for one in (await logs.page(**params))["data"]] == ["later 3", "later still"]


async def test_a_batch_of_rows_shows_up_whole_for_who_follows(api: Api) -> None:
    campaign_id = (await api.campaign())["id"]
    await write_log(api, [row(campaign_id, "sent", body=str(number)) for number in range(10)])
    ids = [one["id"] for one in await api.data("GET", "/logs", params={"per_page": 200})]
    assert ids == sorted(ids)


@pytest.mark.parametrize(
    ("params", "wrong"),
    [
        ({"since_id": 1}, ["since_id"]), ({"changed_since": 1}, ["changed_since"]), ({"page": 1}, ["page"]),
        ({"page": 2, "since_id": 5}, ["page", "since_id"]), ({"cursor": "x"}, ["cursor"]), ({"order": "up"}, ["order"]),
        ({"per_page": 0}, ["per_page"]), ({"status": "read"}, ["status"]), ({"since": "x"}, ["since"]),
        ({"sender_id": 0}, ["sender_id"]), ({"q": "\0"}, ["q"]),
    ],
)  # fmt: skip
async def test_wrong_parameters_are_422_by_name(logs: AllLogs, params: dict[str, Any], wrong: list[str]) -> None:
    assert list(await logs.api.errors("GET", "/logs", params=params)) == wrong


async def test_a_cursor_is_for_the_filters_and_order_it_was_made_for(logs: AllLogs) -> None:
    cursor = (await logs.page(per_page=5, status="sent"))["meta"]["cursor"]["next"]
    for other in ({}, {"status": "failed"}, {"status": "sent", "order": "desc"}, {"status": "sent", "q": "x"}):
        assert list(await logs.api.errors("GET", "/logs", params={**other, "cursor": cursor})) == ["cursor"]
    first, _ = logs.campaigns
    wrong = await logs.api.errors("GET", f"/campaigns/{first}/logs", params={"status": "sent", "cursor": cursor})
    assert list(wrong) == ["cursor"]


async def test_per_page_is_cut_to_two_hundred(api: Api) -> None:
    campaign_id = (await api.campaign())["id"]
    await write_log(api, [row(campaign_id, "sent") for _ in range(210)])
    assert len(await api.data("GET", "/logs", params={"per_page": 100_000})) == 200


@pytest.mark.parametrize("name", ["all_logs_asc", "all_logs_desc", "looked_to_asc", "looked_to_desc"])
async def test_one_index_gives_the_rows_in_order_whatever_the_filter(api: Api, name: str) -> None:
    statement = STATEMENTS[name]
    some = ["1", "5", "now()"] + ["null"] * (max(int(n) for n in re.findall(r"\$(\d+)", statement)) - 4) + ["10"]
    connection = await asyncpg.connect(api.database.dsn)
    try:
        # A handful of rows is read faster without any index; it is to be shown that no sort is needed.
        await connection.execute("set enable_seqscan = off; set enable_sort = off; set enable_bitmapscan = off")
        await connection.execute(f"set plan_cache_mode = force_generic_plan; prepare asked as {statement}")
        plan = await connection.fetch(f"explain (costs off) execute asked ({', '.join(some)})")
    finally:
        await connection.close()
    text = "\n".join(line[0] for line in plan)
    assert "using messages_of_workspace" in text, text
    assert "Sort" not in text, text
    assert "Seq Scan" not in text, text
