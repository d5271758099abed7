"""How PostgreSQL finds a batch's messages, decided when the log was almost empty, is right when it is not any more."""

from typing import Any

import asyncpg
import pytest

from relaygram_common.database.pool import EVERY_WORKSPACE
from relaygram_log_writer.adapters.pg_log import PgLog
from relaygram_log_writer.core.row import Row, row_of
from tests.log_writer.events import event, new_campaign
from tests.support.servers import Database

_BATCH, _FILLED = 200, 30_000
_OTHERS_READ = """
select sum(idx_tup_read)::int from pg_stat_user_indexes
 where schemaname = 'delivery' and relname = 'messages' and indexrelname <> 'messages_pkey'"""

_GROW = """
insert into delivery.messages (campaign_id, job_id, id, position, revision, created_at, workspace_id, channel, state,
    rank, attempt, queued_at)
select $1, gen_random_uuid(), 1000000 + n, 1000000 + n, 1000000 + n, now(), 1, 'telegram', 'sent', 4, 1, now()
  from generate_series(1, $2) n"""


@pytest.fixture
async def pool(database: Database) -> Any:
    """One connection, which keeps its plans; what it read is counted at once."""
    settings = {"relaygram.workspace_id": EVERY_WORKSPACE}
    async with asyncpg.create_pool(database.log_writer, min_size=1, max_size=1, server_settings=settings) as pool:
        yield pool


def _batch(state: str, known: list[Row] | None = None) -> list[Row]:
    """Rows of one campaign: new ones, or what became of these."""
    campaign = known[0].campaign_id if known else new_campaign()
    jobs = [row.job_id for row in known] if known else [None] * _BATCH
    return [row for job in jobs if (row := row_of(event(state, campaign=campaign, job=job)))]


async def test_a_batch_reads_no_other_rows_after_the_log_grew(database: Database, pool: Any) -> None:
    log = PgLog(pool)
    for _ in range(10):  # so often that a plan would be kept
        await log.write(_batch("queued")[:2])
    queued = _batch("queued")
    owner = await asyncpg.connect(database.dsn)
    try:
        # The same campaign grows; nothing tells the planner of it.
        await owner.execute(
            _GROW,
            queued[0].campaign_id,
            _FILLED,
        )
        before = await _read_of_others(owner, pool)
        assert not (await log.write(queued)).refused
        assert not (await log.write(_batch("sent", queued))).refused
        assert await _read_of_others(owner, pool) - before <= _BATCH
    finally:
        await owner.close()


async def _read_of_others(owner: Any, pool: Any) -> int:
    """Entries read of all indexes but the one that finds a message."""
    await pool.execute("select pg_stat_force_next_flush()")
    await pool.execute("select 1")
    read: int = await owner.fetchval(_OTHERS_READ)
    return read
