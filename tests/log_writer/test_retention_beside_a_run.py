"""Rows leave the log of a campaign that is still running: it goes on, completes, and its numbers are whole."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest

from relaygram_common.database.pool import EVERY_WORKSPACE, create_pool
from relaygram_common.database.statements import Statements
from relaygram_common.jetstream.publisher import Outgoing
from relaygram_common.tasks import cancel_and_wait
from relaygram_local_stack.servers import NatsServer
from relaygram_log_writer.adapters.pg_retention import PgRetention
from relaygram_log_writer.retention import Retention
from tests.dispatcher.line import Outside, dispatcher, gateway, log_writer, outside
from tests.log_writer.events import event
from tests.support.servers import Database
from tests.support.waiting import eventually

_PEOPLE = 150
# All rows that are there count as old. Under the log's lock, as whatever changes it.
_AGE = """
begin;
select pg_advisory_xact_lock(7205759403);
update delivery.messages set created_at = created_at - interval '31 days' where created_at > now() - interval '1 day';
commit"""
_SENT = """
insert into telegram.sends (job_id, workspace_id, campaign_id, account_id, contact_id, step, state, attempt, term,
                            first_at, last_at, decided_at)
select gen_random_uuid(), p.workspace_id, p.campaign_id, $2, p.id, 0, 'accepted', 1, 1, $3, $3, $3
  from control.contacts p where p.campaign_id = $1"""
_dispatchers = Statements("relaygram_dispatcher")


@asynccontextmanager
async def _retention(database: Database, around: Outside) -> AsyncIterator[list[int]]:
    """Clears up all the time; how many rows left with each sweep."""
    pool = await create_pool(database.log_writer, application_name="test", workspace=EVERY_WORKSPACE, max_size=1)
    left: list[int] = []

    async def sweep_on() -> None:
        while True:
            await around.pool.execute(_AGE)
            left.append(await Retention(PgRetention(pool, owner="test"), keep=timedelta(days=30)).sweep())
            await asyncio.sleep(0.1)

    task = asyncio.create_task(sweep_on())
    try:
        yield left
    finally:
        await cancel_and_wait([task])
        await pool.close()


@pytest.mark.parametrize(
    "steps", [[], [{"body": "One"}, {"body": "Two", "delay_seconds": 1}]], ids=["broadcast", "sequence"]
)
async def test_a_campaign_completes_though_its_rows_leave_meanwhile(
    provisioned_nats: NatsServer, database: Database, steps: list[dict[str, Any]]
) -> None:
    async with (
        outside(provisioned_nats.url, database.dsn) as around,
        log_writer(provisioned_nats.url, database.log_writer),
        dispatcher(provisioned_nats.url, database.dispatcher, page_size=20, max_jobs_ahead=40),
        _retention(database, around) as left,
    ):
        campaign_id = await around.campaign(_PEOPLE, steps=steps)
        async with gateway(around, campaign_id, refuse_every=0) as telegram:
            await around.becomes(campaign_id, "completed", timeout=60)
        messages = _PEOPLE * max(1, len(steps))
        assert await around.counters(campaign_id) == (0, messages, 0)
        assert (await around.run(campaign_id))["jobs_made"] == messages
        assert len({job.job_id for job in telegram.seen}) == len(telegram.seen) == messages
        assert await around.pool.fetchval(_EVER, campaign_id) == messages
        assert sum(1 for rows in left if rows) > 1


async def test_whose_row_has_left_is_not_taken_for_somebody_without_a_message(
    provisioned_nats: NatsServer, database: Database
) -> None:
    async with outside(provisioned_nats.url, database.dsn) as around:
        campaign_id = await around.campaign(4, start=False)
        people = [row["id"] for row in await around.pool.fetch(_CONTACTS, campaign_id)]
        await around.pool.execute(_RUN, campaign_id, around.workspace_id, around.account_id, people[-1])

        async def unlogged() -> list[int]:
            return [row["id"] for row in await around.pool.fetch(_dispatchers["unlogged_page"], campaign_id, 0, 10)]

        now = await around.pool.fetchval("select now()")
        await around.pool.execute(_SENT, campaign_id, around.account_id, now - timedelta(days=40))
        await around.pool.execute("update telegram.sends set first_at = $1 where contact_id = $2", now, people[-1])
        assert await unlogged() == people
        counters = "insert into delivery.campaign_counters (campaign_id, workspace_id, left_until) values ($1, $2, $3)"
        await around.pool.execute(counters, campaign_id, around.workspace_id, now - timedelta(days=30))
        assert await unlogged() == people[-1:]  # who had a message since then, and no row of it: that event is lost


async def test_an_outcome_that_was_not_followed_stays_until_it_is(
    provisioned_nats: NatsServer, database: Database
) -> None:
    async with (
        outside(provisioned_nats.url, database.dsn) as around,
        log_writer(provisioned_nats.url, database.log_writer),
    ):
        campaign_id = await around.campaign(2, steps=[{"body": "One"}, {"body": "Two"}], start=False)
        await around.pool.execute(_RUN, campaign_id, around.workspace_id, around.account_id, 0)
        for _ in range(2):
            one = event("sent", campaign=campaign_id, workspace_id=around.workspace_id)
            await around.publisher.publish([Outgoing(one.subject, one.model_dump_json().encode())])
        await eventually(lambda: _has_rows(around, campaign_id, 2))
        first, last = [row["revision"] for row in await around.rows(campaign_id)]
        await around.pool.execute(_AGE)
        pool = await create_pool(database.log_writer, application_name="test", workspace=EVERY_WORKSPACE, max_size=1)
        for followed, kept in ((0, 2), (first, 1), (last, 0)):
            await around.pool.execute(_FOLLOW, campaign_id, followed)
            await Retention(PgRetention(pool, owner="test"), keep=timedelta(days=30)).sweep()
            assert len(await around.rows(campaign_id)) == kept
        await pool.close()


async def _has_rows(around: Outside, campaign_id: int, rows: int) -> bool:
    return len(await around.rows(campaign_id)) == rows


_RUN = "insert into dispatch.runs (campaign_id, workspace_id, account_id, cursor_contact_id) values ($1, $2, $3, $4)"
_CONTACTS = "select id from control.contacts where campaign_id = $1 order by id"
_EVER = "select last_position from delivery.campaign_counters where campaign_id = $1"
_FOLLOW = "update dispatch.runs set followed_revision = $2 where campaign_id = $1"
