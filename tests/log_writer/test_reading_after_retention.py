"""What the API says of logs that old rows have left: pages, feeds, cursors, totals and a campaign's own numbers."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from relaygram_common.database.pool import EVERY_WORKSPACE, create_pool
from relaygram_local_stack.servers import NatsServer
from relaygram_log_writer.adapters.pg_retention import PgRetention
from relaygram_log_writer.retention import Retention
from tests.api.log_rows import row, write_log
from tests.api.support import Api, running_api
from tests.support.servers import Database

_STATES = ("sent", "failed", "sent", "read")
_AGE = "update delivery.messages set created_at = created_at - interval '31 days' where id <= $1"


@dataclass(frozen=True)
class Log:
    """A campaign of 300 rows, 120 of which have left; how it was read before."""

    api: Api
    campaign_id: int
    ended_id: int  # a campaign all rows of which have left
    before: list[dict[str, Any]]
    cursors: dict[str, str]  # made before: after the 50th row, and after the 100th from the end

    async def page(self, **params: Any) -> Any:
        return await self.api.call("GET", f"/campaigns/{self.campaign_id}/logs", params=params)

    async def ids(self, **params: Any) -> list[int]:
        return [one["id"] for one in (await self.page(**params))["data"]]

    @property
    def kept(self) -> list[int]:
        return [one["id"] for one in self.before[120:]]


def _error(state: str) -> dict[str, Any]:
    return {"error_code": "PEER_FLOOD"} if state == "failed" else {}


async def _sweep(database: Database) -> int:
    pool = await create_pool(database.log_writer, application_name="test", workspace=EVERY_WORKSPACE, max_size=1)
    try:
        return await Retention(PgRetention(pool, owner="test"), keep=timedelta(days=30)).sweep()
    finally:
        await pool.close()


@pytest.fixture(scope="module")
async def log(database: Database, provisioned_nats: NatsServer) -> AsyncIterator[Log]:
    async with running_api(database, provisioned_nats.url) as api:
        campaign_id, ended_id = (await api.campaign())["id"], (await api.campaign())["id"]
        for start in range(0, 300, 60):
            states = [_STATES[number % 4] for number in range(start, start + 60)]
            await write_log(
                api,
                [
                    row(campaign_id, state, sender_id=1 + place % 7, body=f"Hello {start + place}", **_error(state))
                    for place, state in enumerate(states)
                ],
            )
            if start < 120:
                await write_log(api, [row(ended_id, "sent") for _ in range(20)])
        path = f"/campaigns/{campaign_id}/logs"
        before = [one for page in (1, 2) for one in await api.data("GET", path, params={"per_page": 200, "page": page})]
        cursors = {
            order: (await api.call("GET", path, params={"per_page": rows, "order": order}))["meta"]["cursor"]["next"]
            for order, rows in (("asc", 50), ("desc", 100))
        }
        await api.sql(_AGE, before[119]["id"])
        await api.sql(
            "update delivery.messages set created_at = created_at - interval '31 days' where campaign_id = $1", ended_id
        )
        assert await _sweep(database) == 120 + 40
        yield Log(api, campaign_id, ended_id, before, cursors)


async def test_pages_begin_with_the_first_row_that_is_there(log: Log) -> None:
    first = await log.page()
    assert first["meta"]["pagination"] == {"current_page": 1, "per_page": 25, "total": 180, "last_page": 8}
    pages = [await log.ids(page=number, per_page=50) for number in (1, 2, 3, 4, 5)]
    assert [len(page) for page in pages] == [50, 50, 50, 30, 0]
    assert [one for page in pages for one in page] == log.kept
    backwards = [await log.ids(page=number, per_page=70, order="desc") for number in (1, 2, 3)]
    assert [one for page in backwards for one in page] == log.kept[::-1]


@pytest.mark.parametrize("place", [0, 60, 119, 120, 200])
async def test_feeds_go_on_from_any_row_also_one_that_left(log: Log, place: int) -> None:
    last = log.before[place]
    following = [one for one in log.kept if one > last["id"]]
    for params in ({"since_id": last["id"]}, {"changed_since": last["revision"]}):
        found = await log.page(per_page=200, **params)
        assert [one["id"] for one in found["data"]] == following
        assert found["meta"]["pagination"]["total"] == len(following)
    assert await log.ids(per_page=200, since=last["created_at"]) == following


async def test_cursors_from_before_go_on(log: Log) -> None:
    assert await log.ids(cursor=log.cursors["asc"], per_page=200) == log.kept
    assert await log.ids(cursor=log.cursors["desc"], per_page=200, order="desc") == log.kept[-101::-1]


async def test_totals_with_a_filter_are_those_of_what_is_there(log: Log) -> None:
    for status, total in (("sent", 135), ("failed", 45), ("pending", 0)):
        found = await log.page(status=status, per_page=200)
        assert found["meta"]["pagination"]["total"] == total == len(found["data"])
    for params in ({"code": "PEER_FLOOD"}, {"q": "hello 1"}, {"sender_id": 3}):
        found = await log.page(per_page=200, **params)
        assert found["meta"]["pagination"]["total"] == len(found["data"]) > 0
        assert {one["id"] for one in found["data"]} <= {*log.kept}


async def test_the_log_of_all_campaigns_goes_on_too(log: Log) -> None:
    found = await log.api.data("GET", "/logs", params={"per_page": 200})
    assert [one["id"] for one in found] == log.kept
    since = {"since": log.before[119]["created_at"], "per_page": 200}
    assert [one["id"] for one in await log.api.data("GET", "/logs", params=since)] == log.kept
    newest = await log.api.data("GET", "/logs", params={"order": "desc", "per_page": 200})
    assert [one["id"] for one in newest] == log.kept[::-1]


async def test_a_campaigns_own_numbers_are_those_of_its_life(log: Log) -> None:
    counts = (await log.api.data("GET", f"/campaigns/{log.campaign_id}/stats"))["counts"]
    assert (counts["sent"], counts["failed"], counts["pending"], counts["read"]) == (225, 75, 0, 75)
    shown = await log.api.data("GET", f"/campaigns/{log.campaign_id}")
    assert (shown["sent_count"], shown["failed_count"]) == (225, 75)


async def test_a_log_that_all_rows_have_left_still_answers(log: Log) -> None:
    path = f"/campaigns/{log.ended_id}"
    for params in ({}, {"order": "desc"}, {"since_id": 1}, {"changed_since": 0}, {"status": "sent"}, {"page": 3}):
        found = await log.api.call("GET", f"{path}/logs", params=params)
        assert (found["data"], found["meta"]["pagination"]["total"]) == ([], 0)
    assert (await log.api.data("GET", f"{path}/stats"))["counts"]["sent"] == 40
    assert await log.api.data("GET", f"{path}/senders") == []
    await write_log(log.api, [row(log.ended_id, "sent", body="One more")])
    found = await log.api.call("GET", f"{path}/logs")
    assert ([one["body"] for one in found["data"]], found["meta"]["pagination"]["total"]) == (["One more"], 1)
