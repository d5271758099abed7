"""What cursors of the log keep makes pages cheaper and never wrong."""

import base64
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import pytest

from relaygram_api.adapters.log_pages import filtered_page
from relaygram_api.adapters.pg_logs import read
from relaygram_api.core.cursors import CursorError, decode_cursor, decode_numbers, encode_cursor
from relaygram_api.core.log_query import Bookmark, Counted, LogQuery, LogQueryError
from tests.api.log_rows import row, write_log
from tests.api.support import Api

_FIRST = LogQuery(per_page=5, page=1, order="asc")
_TRIM = "select rows_left from delivery.trim_log('test', $1, '30 days', 1000)"
_AGE = """
update delivery.messages m set created_at = m.created_at - interval '31 days' from delivery.campaign_counters k
 where m.campaign_id = $1 and k.campaign_id = $1 and m.position < k.first_position + $2"""


@pytest.mark.parametrize("bookmark", [
    Bookmark(0), Bookmark(7), Bookmark(7, 3), Bookmark(7, None, Counted(0, 1, 9)),
    Bookmark(2**63 - 1, 2**63 - 1, Counted(10_001, 2**63 - 1, 2**63 - 1)),
])  # fmt: skip
def test_a_cursor_tells_again_what_it_was_given(bookmark: Bookmark) -> None:
    cursor = _FIRST.cursor_at(1, bookmark)
    assert LogQuery(5, 1, "asc", cursor=cursor).bookmark(1) == bookmark
    assert len(cursor) < 255
    for query, campaign in ((LogQuery(5, 1, "asc", cursor=cursor), 2), (LogQuery(5, 1, "desc", cursor=cursor), 1)):
        with pytest.raises(LogQueryError, match="other filters"):
            query.bookmark(campaign)


@pytest.mark.parametrize("numbers", [(1, 2, 3), (1, None), (1, 2, 3, 4), (1, 2, None, 4, 5), (1, 2, 3, 4, 5, 6)])
def test_a_cursor_with_other_numbers_is_none_of_the_log(numbers: tuple[int, ...]) -> None:
    cursor = encode_cursor(_FIRST.listing(1), *numbers)
    with pytest.raises(LogQueryError, match="not one of ours"):
        LogQuery(5, 1, "asc", cursor=cursor).bookmark(1)


def test_a_cursor_that_somebody_changed_is_refused() -> None:
    assert decode_numbers(encode_cursor("a list", 5, None, 7), "a list") == (5, (None, 7))
    with pytest.raises(CursorError, match="not one of ours"):
        decode_cursor(encode_cursor("a list", 5, 7), "a list")
    assert decode_cursor(encode_cursor("a list", 5), "a list") == 5
    for changed in (b"6..7.", b".5.", b"-5.", b"5.x.", b"9223372036854775808.", b"", b"5", b"."):
        good = _decoded(encode_cursor("a list", 5, None, 7))
        with pytest.raises(CursorError):
            decode_numbers(_encoded(changed + good.rpartition(b".")[2]), "a list")


async def _adds(api: Api, campaign: int, jobs: list[Any]) -> None:
    made = [row(campaign, "sent", sender_id=3, body="Hello again", error_code="NETWORK") for _ in range(3)]
    jobs += [one["job_id"] for one in made]
    await write_log(api, made)


async def _changes(api: Api, campaign: int, jobs: list[Any]) -> None:
    await write_log(api, [row(campaign, "read", job_id=job, error_code="OTHER") for job in jobs[30:34]])


async def _erases(api: Api, campaign: int, jobs: list[Any]) -> None:
    named = {"relaygram.workspace_id": str(api.workspace_id)}
    connection = await asyncpg.connect(api.database.api, server_settings=named)
    await connection.execute("select delivery.erase_messages($1, $2, '{}')", [campaign], [2])
    await connection.close()


async def _ages(api: Api, campaign: int, jobs: list[Any]) -> None:
    await api.sql(_AGE, campaign, 4)
    assert await api.sql(_TRIM, campaign, role="relaygram_log_writer") == 4


async def _stays(api: Api, campaign: int, jobs: list[Any]) -> None:
    """Nothing happens."""


_HAPPENS: tuple[Callable[[Api, int, list[Any]], Awaitable[None]], ...] = (
    _stays,
    _adds,
    _changes,
    _ages,
    _erases,
    _stays,
)


@pytest.mark.parametrize(("params", "fit"), [
    ({"q": "hello"}, "body ilike '%hello%'"),
    ({"sender_id": 3}, "sender_id = 3"),
    ({"code": "NETWORK"}, "error_code = 'NETWORK'"),
    ({"code": "NETWORK", "status": "sent"}, "error_code = 'NETWORK' and status = 'sent'"),
    ({"changed_since": 0}, "true"),
    ({"changed_since": 0, "code": "OTHER"}, "error_code = 'OTHER'"),
    ({"since_id": 0, "q": "hello"}, "body ilike '%hello%'"),
    ({"since": "2001-01-01", "sender_id": 3}, "sender_id = 3"),
    ({"since_id": 0}, "true"),
    ({"status": "sent"}, "status = 'sent'"),
    ({}, "true"),
])  # fmt: skip
async def test_the_total_beside_a_cursor_is_that_of_the_moment(api: Api, params: dict[str, Any], fit: str) -> None:
    """Each page is the last one's further page, and between two something happens."""
    campaign = (await api.campaign())["id"]
    path = f"/campaigns/{campaign}/logs"
    made = [
        row(
            campaign,
            "sent",
            sender_id=1 + number % 3,
            body=f"Hello {number}",
            error_code=("NETWORK", "OTHER")[number % 2],
        )
        for number in range(60)
    ]
    await write_log(api, made)
    jobs = [one["job_id"] for one in made]
    params = {"per_page": 2, **params}
    page = await api.call("GET", path, params=params)
    for happens in _HAPPENS:
        await happens(api, campaign, jobs)
        page = await api.call("GET", path, params={**params, "cursor": page["meta"]["cursor"]["next"]})
        real = await api.sql(f"select count(*) from delivery.messages where campaign_id = $1 and {fit}", campaign)  # noqa: S608 - the test's own
        assert (page["meta"]["pagination"]["total"], len(page["data"])) == (real, 2), happens.__name__


async def test_what_is_far_behind_is_counted_again_only_when_rows_have_left(api: Api) -> None:
    campaign = (await api.campaign())["id"]
    path, params = f"/campaigns/{campaign}/logs", {"changed_since": 0}
    rows = [row(campaign, "sent", body="x") for _ in range(10_020)]
    for first in range(0, len(rows), 3340):
        await write_log(api, rows[first:][:3340])

    async def further(page: Any) -> tuple[Any, tuple[int, bool]]:
        following = await api.call("GET", path, params={**params, "cursor": page["meta"]["cursor"]["next"]})
        pagination = following["meta"]["pagination"]
        return following, (pagination["total"], pagination["total_is_capped"])

    page, told = await further(await api.call("GET", path, params=params))
    assert told == (10_000, True)
    await write_log(api, [{**one, "state": "read", "rank": 6} for one in rows[:50]])
    page, told = await further(page)
    assert told == (10_000, True)
    await api.sql(_AGE, campaign, 19)
    assert await api.sql(_TRIM, campaign, role="relaygram_log_writer") == 19
    page, told = await further(page)
    assert told == (10_000, True)  # 10,001
    await api.sql(_AGE, campaign, 31)
    assert await api.sql(_TRIM, campaign, role="relaygram_log_writer") == 31
    page, told = await further(page)
    assert told == (9970, False)
    _, told = await further(page)
    assert told == (9970, False)


async def test_an_empty_page_behind_a_cursor_tells_the_total(api: Api) -> None:
    campaign = (await api.campaign())["id"]
    await write_log(api, [row(campaign, "failed", body="x", error_code="NETWORK") for _ in range(10)])
    revision = await api.sql("select max(revision) from delivery.messages where campaign_id = $1", campaign)
    for filters in ({"q": "x"}, {"code": "NETWORK"}, {"since_id": 0}, {"changed_since": 0}, {"status": "failed"}, {}):
        query = LogQuery(5, 1, "asc", **filters)
        query = LogQuery(5, 1, "asc", cursor=query.cursor_at(campaign, Bookmark(revision + 10)), **filters)
        async with api.parts.database.reading(api.workspace_id) as connection:
            page = await read(connection, campaign, query)
        assert page is not None
        assert (len(page.rows), page.total, page.next) == (0, 10, None)


async def test_no_page_is_planned_for_its_request(api: Api) -> None:
    """PostgreSQL plans a statement five times, and then only if a plan for any values looks dearer."""
    campaign = (await api.campaign())["id"]
    for _ in range(2):
        await write_log(api, [row(campaign, "sent", body="x", error_code="NETWORK") for _ in range(3000)])
    await api.sql("analyze delivery.messages")
    newest = await api.sql("select max(revision) from delivery.messages where campaign_id = $1", campaign)
    oldest = await api.sql("select min(id) from delivery.messages where campaign_id = $1", campaign)
    began = await api.sql("select min(created_at) from delivery.messages where campaign_id = $1", campaign)
    queries = [LogQuery(25, 1, "asc", **filters) for filters in (
        {"status": "sent"}, {"code": "NETWORK"}, {"sender_id": 5}, {"since_id": oldest}, {"since": began},
        {"changed_since": newest - 3}, {"changed_since": newest - 5900},
    )]  # fmt: skip
    named = {"relaygram.workspace_id": str(api.workspace_id)}
    connection = await asyncpg.connect(api.database.api, server_settings=named)
    try:
        for query in queries:
            for place in (None, Bookmark(5999), Bookmark(newest - 2 if query.sort == "revision" else 20)):
                statement, arguments = filtered_page(campaign, query, place)
                for _ in range(15):
                    await connection.fetch(statement, *arguments)
                planned = "select custom_plans from pg_prepared_statements where statement = $1"
                assert await connection.fetchval(planned, statement) <= 5, query
    finally:
        await connection.close()


def _decoded(cursor: str) -> bytes:
    return base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))


def _encoded(text: bytes) -> str:
    return base64.urlsafe_b64encode(text).decode().rstrip("=")
