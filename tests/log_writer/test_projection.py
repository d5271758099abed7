"""Nothing rests on the order, the number or the grouping in which events come: in Python and in PostgreSQL."""

from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings

from relaygram_common.contracts.states import log_status
from relaygram_common.database.pool import EVERY_WORKSPACE, create_pool
from relaygram_log_writer.adapters.pg_log import PgLog
from relaygram_log_writer.core.projection import fold
from relaygram_log_writer.core.row import Row
from tests.log_writer.events import assert_counters_exact, event, new_campaign, rows_of
from tests.log_writer.histories import JOBS, History, assert_as_expected, expected_rows, histories, rows_made_by
from tests.support.servers import Database


@given(histories())
@settings(max_examples=300, deadline=None)
def test_folding_gives_what_happened(history: History) -> None:
    happened, batches = history
    log: list[Row] = []
    for batch in batches:
        log = list(fold([*log, *fold(rows_made_by(batch)).values()]).values())
    found = {row.job_id: {**row._asdict(), "status": log_status(row.rank)} for row in log}
    assert_as_expected(expected_rows(happened), found)


@pytest.fixture(scope="module")
async def pool(database: Database) -> AsyncIterator["asyncpg.Pool[asyncpg.Record]"]:
    pool = await create_pool(database.log_writer, application_name="test", workspace=EVERY_WORKSPACE, max_size=2)
    yield pool
    await pool.close()


@given(history=histories())
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_writing_gives_what_happened(pool: "asyncpg.Pool[asyncpg.Record]", history: History) -> None:
    happened, batches = history
    for batch in batches:
        await PgLog(pool).write(list(fold(rows_made_by(batch)).values()))
    if not happened:
        return
    campaign = happened[0].campaign_id
    assert campaign is not None
    rows = await rows_of(pool, campaign)
    assert_as_expected(expected_rows(happened), {row["job_id"]: dict(row) for row in rows})
    await assert_counters_exact(pool, campaign)


async def test_what_changes_nothing_takes_no_revision(pool: "asyncpg.Pool[asyncpg.Record]") -> None:
    log, campaign = PgLog(pool), new_campaign()
    rows = rows_made_by([event(state, campaign=campaign, job=JOBS[0]) for state in ("queued", "sent")])
    first = await log.write(list(fold(rows).values()))
    again = await log.write(list(fold(rows).values()))
    assert list(first.revisions) == [campaign]
    assert again.revisions == {}
    assert await log.write(rows[:1]) == again  # a late `queued` of what was sent long ago


async def test_a_lower_rank_only_fills_what_is_empty(pool: "asyncpg.Pool[asyncpg.Record]") -> None:
    log, campaign = PgLog(pool), new_campaign()
    sent = event("sent", campaign=campaign, job=JOBS[0], body=None, destination="@ann_new", seconds=9)
    late = event("failed", campaign=campaign, job=JOBS[0], body="Hello", destination="@ann", seconds=1)
    await log.write(rows_made_by([sent]))
    await log.write(rows_made_by([late]))
    (row,) = await rows_of(pool, campaign)
    assert (row["state"], row["body"], row["destination"]) == ("sent", "Hello", "@ann_new")
    assert (row["error_code"], row["ended_at"], row["sent_at"]) == (None, None, sent.occurred_at)


async def test_an_erased_row_takes_no_texts_any_more(pool: "asyncpg.Pool[asyncpg.Record]") -> None:
    log, campaign = PgLog(pool), new_campaign()
    await log.write(rows_made_by([event("queued", campaign=campaign, job=JOBS[0])]))
    await pool.execute(
        "update delivery.messages set erased_at = now(), body = null, destination = null where campaign_id = $1",
        campaign,
    )
    await log.write(rows_made_by([event("sent", campaign=campaign, job=JOBS[0])]))
    (row,) = await rows_of(pool, campaign)
    assert (row["status"], row["body"], row["destination"]) == ("sent", None, None)


async def test_feeds_grow_in_the_order_of_commits(pool: "asyncpg.Pool[asyncpg.Record]") -> None:
    log, campaign = PgLog(pool), new_campaign()
    for number in range(3):
        made = [event("queued", campaign=campaign, job=UUID(int=number * 10 + inner)) for inner in range(4)]
        await log.write(rows_made_by(made))
    rows = await rows_of(pool, campaign)
    assert [row["position"] for row in rows] == list(range(1, 13))
    for feed in ("id", "revision", "created_at"):
        values = [row[feed] for row in rows]
        assert values == sorted(set(values)), feed
    assert rows[-1]["created_at"] - rows[0]["created_at"] < timedelta(seconds=30)
