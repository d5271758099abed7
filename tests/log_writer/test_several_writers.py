"""Several log-writers at once, on one stream: who takes which event and who commits first changes nothing."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relaygram_local_stack.servers import NatsServer
from tests.log_writer.events import assert_counters_exact, rows_of
from tests.log_writer.histories import History, assert_as_expected, expected_rows, histories
from tests.log_writer.running import Bench, bench, log_writer
from tests.support.servers import Database

_WRITERS = 4


@pytest.fixture(scope="module")
async def line(provisioned_nats: NatsServer, database: Database) -> AsyncIterator[Bench]:
    """Writers of small batches, so that each story is told to all of them."""
    async with AsyncExitStack() as stack:
        outside = await stack.enter_async_context(bench(provisioned_nats.url, database.dsn))
        for _ in range(_WRITERS):
            await stack.enter_async_context(log_writer(provisioned_nats.url, database.log_writer, log_batch_size=3))
        yield outside


@given(stories=st.lists(histories(), min_size=3, max_size=6))
@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
async def test_whoever_writes_what_and_when_the_log_says_what_happened(line: Bench, stories: list[History]) -> None:
    for batch in zip(*(batches for _, batches in stories), strict=False):
        await line.publish([one for part in batch for one in part])  # all stories in step, while writers write …
    await line.publish([one for _, batches in stories for part in batches for one in part])  # … and all once more
    await line.drained()
    for happened, _ in stories:
        if happened:
            campaign = happened[0].campaign_id
            assert campaign is not None
            rows = await rows_of(line.connection, campaign)
            assert_as_expected(expected_rows(happened), {row["job_id"]: dict(row) for row in rows})
            await assert_counters_exact(line.connection, campaign)


async def test_feeds_have_no_doubles_over_all_writers(line: Bench) -> None:
    doubled = "select count(*) - count(distinct {0}) from delivery.messages"
    for feed in ("id", "revision", "created_at"):
        assert await line.connection.fetchval(doubled.format(feed)) == 0, feed
    unordered = """
        select count(*)
          from (select created_at < lag(created_at) over (order by id) as is_late from delivery.messages) m
         where is_late"""
    assert await line.connection.fetchval(unordered) == 0
