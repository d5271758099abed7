"""The logs of channels: times, order, pages, and looks that are bounded however rare a value is."""

import asyncio
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from relaygram_api.adapters import pg_channel_logs
from tests.api.channel_calls import ago, ids, logs, of_channel, three_messages, violations
from tests.api.log_rows import write_log
from tests.api.support import Api


@pytest.fixture(scope="module")
async def three(api: Api) -> list[dict[str, Any]]:
    return await three_messages(api, "pages")


async def test_both_ends_are_left_out_and_offsets_are_understood(api: Api) -> None:
    moment = ago(hours=3, milliseconds=-390)
    rows = [of_channel(api, "times", queued_at=moment + timedelta(milliseconds=number)) for number in range(3)]
    await write_log(api, rows)
    before, middle, after = (str(one["job_id"]) for one in rows)
    at = rows[1]["queued_at"]
    berlin = (
        at.astimezone(timezone(timedelta(hours=1))).strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}"
    )
    for written in (berlin + "+01:00", berlin + "+0100", berlin + " 01:00", berlin + " 0100",
                    at.strftime("%Y-%m-%dT%H:%M:%S.391Z"), at.strftime("%Y-%m-%dT%H:%M:%S.391+0000")):  # fmt: skip
        assert await ids(api, "times", sentSince=written) == [after], written
        assert await ids(api, "times", sentUntil=written) == [before], written
    between = {"sentSince": rows[0]["queued_at"].isoformat(), "sentUntil": rows[2]["queued_at"].isoformat()}
    assert await ids(api, "times", **between) == [middle]
    assert await ids(api, "times", sentSince=berlin + "+01:00", sentUntil=berlin + "+01:00") == []


async def test_a_plus_that_nobody_escaped_is_understood(api: Api, three: list[dict[str, Any]]) -> None:
    written = three[1]["queued_at"].strftime("%Y-%m-%dT%H:%M:%S.000+00:00")
    answer = await api.client.get(f"/pages/1/logs?sentSince={written}")
    assert [one["messageId"] for one in answer.json()["results"]] == [str(three[0]["job_id"])]


async def test_only_the_last_48_hours_are_there(api: Api) -> None:
    old = of_channel(api, "aged", queued_at=datetime.now(UTC) - timedelta(hours=48, seconds=1))
    young = of_channel(api, "aged", queued_at=datetime.now(UTC) - timedelta(hours=47, minutes=50))
    await write_log(api, [old, young])
    seen = [str(young["job_id"])]
    assert await ids(api, "aged") == seen
    assert await ids(api, "aged", sentSince="2020-02-22T17:42:05.390+01:00") == seen
    assert await ids(api, "aged", messageId=f"{old['job_id']},{young['job_id']}") == seen


async def test_newest_first_and_of_equal_milliseconds_by_id(api: Api) -> None:
    rows = [of_channel(api, "ordered", queued_at=ago(minutes=number % 3)) for number in range(60)]
    await write_log(api, rows)
    expected = sorted(rows, key=lambda one: (-one["queued_at"].timestamp(), str(one["job_id"])))
    assert await ids(api, "ordered", limit=1000) == [str(one["job_id"]) for one in expected]
    assert await ids(api, "ordered") == [str(one["job_id"]) for one in expected[:50]]


@pytest.mark.parametrize("limit", [1, 7, 20, 59, 60, 61])
@pytest.mark.parametrize("state", [None, "REJECTED"])
async def test_pages_by_cursor_lose_and_double_nothing(api: Api, limit: int, state: str | None) -> None:
    channel = f"paged-{limit}-{state or ''}".lower()
    rows = [
        of_channel(api, channel, "failed", error_code="USER_NOT_FOUND", queued_at=ago(minutes=number // 25))
        for number in range(60)
    ]
    await write_log(api, rows)
    filters: dict[str, Any] = {"limit": limit, "useCursor": "true"} | ({"generalStatus": state} if state else {})
    seen: list[str] = []
    cursor: str | None = None
    for _ in range(-(-60 // limit)):
        page = await logs(api, channel, **filters | ({"cursor": cursor} if cursor else {}))
        assert page["cursor"]["limit"] == limit
        assert len(page["results"]) == min(limit, 60 - len(seen))
        seen += [one["messageId"] for one in page["results"]]
        cursor = page["cursor"]["nextCursor"]
        await write_log(api, [of_channel(api, channel, "failed", queued_at=datetime.now(UTC))])  # which comes before
    assert cursor is None
    expected = sorted(rows, key=lambda one: (-one["queued_at"].timestamp(), str(one["job_id"])))
    assert seen == [str(one["job_id"]) for one in expected]


async def test_there_is_a_cursor_when_it_is_asked_for(api: Api, three: list[dict[str, Any]]) -> None:
    assert list(await logs(api, "pages")) == ["results"]
    assert list(await logs(api, "pages", useCursor="false", limit=1)) == ["results"]
    page = await logs(api, "pages", useCursor="true")
    assert page["cursor"] == {"limit": 50, "nextCursor": None}
    first = await logs(api, "pages", useCursor="true", limit=1)
    # The cursor says by itself that one is wanted; how many on a page may change.
    second = await logs(api, "pages", cursor=first["cursor"]["nextCursor"], limit=5)
    assert [one["messageId"] for one in second["results"]] == [str(one["job_id"]) for one in three[1:]]
    assert second["cursor"] == {"limit": 5, "nextCursor": None}


@pytest.fixture
def small_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bounds that a few rows reach."""
    for name, rows in (("_FIRST_LOOK", 4), ("MOST_A_LOOK", 10), ("MOST_LOOKED_AT", 24)):
        monkeypatch.setattr(pg_channel_logs, name, rows)


@pytest.mark.usefixtures("small_looks")
async def test_a_rare_value_is_found_page_by_page_in_bounded_looks(api: Api) -> None:
    rows = [
        of_channel(api, "sparse", sender="rare" if number in (3, 17, 39) else "often", queued_at=ago(seconds=number))
        for number in range(40)
    ]
    await write_log(api, rows)
    pages: list[list[str]] = []
    cursor: dict[str, Any] = {}
    while True:
        page = await logs(api, "sparse", sender="rare", useCursor="true", limit=2, **cursor)
        pages.append([one["messageId"] for one in page["results"]])
        if (following := page["cursor"]["nextCursor"]) is None:
            break
        cursor = {"cursor": following}
    assert [one for page in pages for one in page] == [str(rows[number]["job_id"]) for number in (3, 17, 39)]
    assert len(pages) > 3
    # What may come without a cursor is whole, or it is said why not.
    whole = await ids(api, "sparse", sender="rare", sentSince=ago(seconds=20).isoformat())
    assert whole == [str(rows[number]["job_id"]) for number in (3, 17)]
    refused = await violations(api, "sparse", sender="rare")
    assert list(refused) == ["sentSince"]
    assert "useCursor=true" in refused["sentSince"]
    assert len(await ids(api, "sparse", sender="often", limit=20)) == 20
    # Nothing is left out where a look ends between equal milliseconds.
    same = [of_channel(api, "dense", sender="rare", queued_at=ago(minutes=1)) for _ in range(23)]
    await write_log(api, same)
    assert await ids(api, "dense", sender="rare", limit=1000) == sorted(str(one["job_id"]) for one in same)


@pytest.mark.parametrize(
    ("statement", "index"),
    [("all", "messages_of_channel"), ("ended", "messages_of_channel_failed")],
)
async def test_every_bound_of_time_bounds_the_index_scan_also_under_row_level_security(
    api: Api, statement: str, index: str
) -> None:
    # With a plan that fits all parameters, as it is used after some executions. What the security's own condition must
    # come before (anything that might tell of rows, for the planner: coalesce) would read all rows up to the bound.
    types = "bigint, text, timestamptz, timestamptz, timestamptz, uuid, bigint, bigint, text[], text[], bigint[], text,"
    given = (
        "1, 'telegram', null, now(), now(), null, 51, 5000, null, null, null, null, null, null, null, null, null, null"
    )
    async with api.parts.database.workspace(api.workspace_id) as connection:
        await connection.execute("set local plan_cache_mode = force_generic_plan; set local enable_seqscan = off")
        await connection.execute("set local enable_bitmapscan = off; set local enable_sort = off")
        chosen = pg_channel_logs.STATEMENTS[statement]
        await connection.execute(f"prepare tried ({types} text, text[], text[], text[], text[], text[]) as {chosen}")
        plan = "\n".join(line[0] for line in await connection.fetch(f"explain execute tried ({given})"))
        await connection.execute("deallocate tried")
    assert f"Index Scan using {index} on messages" in plan
    (bounds,) = (line for line in plan.splitlines() if "Index Cond" in line)
    assert bounds.count("queued_at") == 3
    assert "Sort" not in plan


@pytest.mark.usefixtures("small_looks")
async def test_who_searches_far_waits_for_a_turn_and_keeps_nobody_else_waiting(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [of_channel(api, "far", sender="often", queued_at=ago(seconds=number)) for number in range(20)]
    await write_log(api, rows)
    turns = api.parts.further_looks
    taken = 0
    while not turns.locked():
        await turns.acquire()
        taken += 1
    try:
        monkeypatch.setattr(pg_channel_logs, "TURN_SECONDS", 0.01)
        refused = await api.client.get("/far/1/logs", params={"sender": "rare"})
        assert (refused.status_code, refused.json()["errorCode"]) == (503, "E503")
        assert int(refused.headers["Retry-After"]) >= 1
        monkeypatch.setattr(pg_channel_logs, "TURN_SECONDS", 60.0)
        searching = asyncio.create_task(ids(api, "far", sender="rare"))
        assert len(await ids(api, "far", limit=3)) == 3
        assert not searching.done()
    finally:
        for _ in range(taken):
            turns.release()
    assert await searching == []
