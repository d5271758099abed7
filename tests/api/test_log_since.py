"""Where the rows after a moment or an id begin, however their times lie."""

from bisect import bisect_right
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from random import Random
from typing import Any

import asyncpg
import pytest

from relaygram_api.core.log_query import Bookmark, LogQuery
from tests.api.log_rows import row, write_log
from tests.api.support import Api

_BEGAN = datetime(2026, 3, 1, 12, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_ROWS = """
insert into delivery.messages (campaign_id, job_id, id, position, revision, created_at, workspace_id, channel, state,
    rank, attempt, queued_at)
select $1, gen_random_uuid(), i.id, i.position, i.id, i.at, $2, 'telegram', 'sent', 4, 1, now()
  from unnest($3::bigint[], $4::timestamptz[]) with ordinality as i (id, at, position)"""
_COUNTERS = """
insert into delivery.campaign_counters (campaign_id, workspace_id, last_position, sent, retained_sent, last_revision)
values ($1, $2, $3, $3, $3, $4)"""
_AFTER = "select delivery.position_after($1, $2, $3)"

# Microseconds from one row to the next.
_GAPS: dict[str, Callable[[Random], list[int]]] = {
    "one row": lambda _: [1],
    "two rows": lambda _: [1, 1],
    "each microsecond": lambda _: [1] * 300,
    "evenly": lambda _: [1000] * 300,
    "at random": lambda chance: [1 + int(chance.expovariate(1e-4)) for _ in range(300)],
    "in batches": lambda chance: [1 if chance.random() < 0.97 else 50_000 for _ in range(400)],
    "with pauses of days": lambda chance: [1000 if chance.random() < 0.98 else 3 * 10**11 for _ in range(300)],
    "first all, then few": lambda _: [1] * 290 + [6 * 10**7] * 10,
    "first few, then all": lambda _: [6 * 10**7] * 10 + [1] * 290,
    "ever more slowly": lambda _: [2 ** (number // 8) for number in range(300)],
}


@pytest.mark.parametrize("name", _GAPS)
async def test_rows_after_a_moment_and_an_id_begin_at_the_first_of_them(api: Api, name: str) -> None:
    campaign, chance = (await api.campaign())["id"], Random(name)  # noqa: S311 - the same each time is what is wanted
    times = [_BEGAN + timedelta(microseconds=after) for after in accumulate(_GAPS[name](chance))]
    newest = await api.sql("select coalesce(max(id), 0) from delivery.messages")
    ids = [newest + number for number in accumulate(chance.choice((1, 1, 1, 7)) for _ in times)]
    await api.sql(_ROWS, campaign, api.workspace_id, ids, times)
    await api.sql(_COUNTERS, campaign, api.workspace_id, len(times), ids[-1])
    some = sorted({0, len(times) - 1, *(chance.randrange(len(times)) for _ in range(20))})
    moments = [times[place] + by for place in some for by in (-_MICROSECOND, timedelta(), _MICROSECOND)]
    moments += [datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC)]
    named = {"relaygram.workspace_id": str(api.workspace_id)}
    connection = await asyncpg.connect(api.database.api, server_settings=named)
    try:
        for first in sorted({1, 1 + len(times) // 3, len(times), len(times) + 1}):
            # As when the rows before have left.
            await api.sql(
                "update delivery.campaign_counters set first_position = $2 where campaign_id = $1", campaign, first
            )
            await api.sql("delete from delivery.messages where campaign_id = $1 and position < $2", campaign, first)
            for moment in moments:
                after_moment = max(first, bisect_right(times, moment) + 1)
                assert await connection.fetchval(_AFTER, campaign, moment, None) == after_moment, moment
                place = chance.choice(some)
                for since_id in (ids[place] - 1, ids[place], 2**63 - 1):
                    after_id = max(first, bisect_right(ids, since_id) + 1)
                    assert await connection.fetchval(_AFTER, campaign, None, since_id) == after_id
                    assert await connection.fetchval(_AFTER, campaign, moment, since_id) == max(after_moment, after_id)
            assert await connection.fetchval(_AFTER, campaign, None, None) == first
    finally:
        await connection.close()


async def test_a_cursor_keeps_where_the_rows_after_a_moment_begin(api: Api) -> None:
    """So that no further page looks for it; rows that come or leave meanwhile make no difference."""
    campaign = (await api.campaign())["id"]
    await write_log(api, [row(campaign, "sent", body=str(number)) for number in range(60)])
    path = f"/campaigns/{campaign}/logs"
    rows = await api.data("GET", path, params={"per_page": 60})
    for since in ({"since": rows[9]["created_at"]}, {"since_id": rows[9]["id"]}):
        for order, status in (("asc", {}), ("desc", {}), ("asc", {"status": "sent"})):
            params: dict[str, Any] = {"per_page": 7, "order": order, **since, **status}
            page, seen = await api.call("GET", path, params=params), list[str]()
            while True:
                assert page["meta"]["pagination"]["total"] == 50
                seen += [one["body"] for one in page["data"]]
                if (cursor := page["meta"]["cursor"]["next"]) is None:
                    break
                query = LogQuery(
                    7,
                    1,
                    "desc" if order == "desc" else "asc",
                    status="sent" if status else None,
                    since=datetime.fromisoformat(since["since"]) if "since" in since else None,
                    since_id=since.get("since_id"),
                    cursor=cursor,
                )
                bookmark = query.bookmark(campaign)
                assert isinstance(bookmark, Bookmark)
                assert bookmark.place == 11
                page = await api.call("GET", path, params={**params, "cursor": cursor})
            assert sorted(seen, key=int) == [str(number) for number in range(10, 60)]
