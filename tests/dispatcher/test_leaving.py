"""People who are taken out of a campaign at any moment: it completes all the same, and its numbers add up."""

import asyncio
from typing import Any

import asyncpg
import pytest

from relaygram_dispatcher.core.sequence import step_job
from tests.dispatcher.line import Outside, gateway
from tests.support.servers import Database


async def take_out(line: Outside, campaign_id: int, contact_ids: list[int]) -> int:
    """As the api does it; how many there were."""
    async with line.pool.acquire() as connection, connection.transaction():
        await connection.execute(f"set local relaygram.workspace_id = '{line.workspace_id}'")
        removed: int = await connection.fetchval(
            "select count(*) filter (where control.remove_contact($1, c, '{}', false)) from unnest($2::bigint[]) c",
            campaign_id,
            contact_ids,
        )
    return removed


async def contacts(line: Outside, campaign_id: int) -> list[int]:
    rows = await line.pool.fetch("select id from control.contacts where campaign_id = $1 order by id", campaign_id)
    return [row["id"] for row in rows]


async def adds_up(line: Outside, campaign_id: int) -> int:
    """Wait for the end; how many messages there were, by all that count them."""
    await line.becomes(campaign_id, "completed")
    pending, sent, failed = await line.counters(campaign_id)
    total = await line.pool.fetchval("select total_contacts from control.campaigns where id = $1", campaign_id)
    run = await line.run(campaign_id)
    assert pending == 0
    assert sent + failed == run["jobs_made"] == len(await line.rows(campaign_id)) == total
    return sent + failed


async def test_who_left_before_their_turn_gets_no_job(line: Outside) -> None:
    campaign_id = await line.campaign(40, start=False)
    ids = await contacts(line, campaign_id)
    assert await take_out(line, campaign_id, ids[:10]) == 10
    assert await take_out(line, campaign_id, ids[:10]) == 0
    await line.transition(campaign_id, "start")
    async with gateway(line, campaign_id) as telegram:
        assert await adds_up(line, campaign_id) == 30
    assert {job.contact_id for job in telegram.seen} == {*ids[10:]}


async def test_who_leaves_with_a_job_counts_to_the_end(line: Outside) -> None:
    campaign_id = await line.campaign(40)
    await line.expanded(campaign_id, 40)
    assert await take_out(line, campaign_id, (await contacts(line, campaign_id))[:10]) == 10
    async with gateway(line, campaign_id):
        assert await adds_up(line, campaign_id) == 40


async def test_people_may_leave_while_their_jobs_are_made(line: Outside) -> None:
    campaign_id = await line.campaign(3000, start=False)
    ids = await contacts(line, campaign_id)
    await line.transition(campaign_id, "start")
    async with gateway(line, campaign_id, refuse_every=0):
        for first in range(0, 3000, 100):
            await take_out(line, campaign_id, ids[2999 - first : 2979 - first : -1])
            await asyncio.sleep(0)
        assert 3000 >= await adds_up(line, campaign_id) >= 2400


@pytest.mark.parametrize("begun", [False, True])
async def test_a_page_that_was_broken_off_is_done_again_for_those_who_left(
    line: Outside, database: Database, begun: bool
) -> None:
    campaign_id = await line.campaign(20, start=False)
    one, *_ = await contacts(line, campaign_id)
    pool: Any = await asyncpg.create_pool(database.dsn, min_size=1, max_size=1)
    try:
        # A dispatcher of its own, whose lease keeps the other one off, and that dies between its page and its cursor.
        await line.pool.execute(
            "insert into dispatch.runs (campaign_id, workspace_id, account_id, epoch, lease_owner, lease_until)"
            " values ($1, $2, $3, 7, 'its own', now() + interval '1 minute')",
            campaign_id, line.workspace_id, line.account_id,
        )  # fmt: skip
        people = await contacts(line, campaign_id)
        if begun:
            gone = await pool.fetchval("select dispatch.begin_page($1, 7, 0, $2)", campaign_id, people)
            assert gone == []
        assert await take_out(line, campaign_id, [one]) == 1
        again = await pool.fetchval("select dispatch.begin_page($1, 7, 0, $2)", campaign_id, people)
        assert again == ([] if begun else [one])
        assert await pool.fetchval("select dispatch.begin_page($1, 6, 0, $2)", campaign_id, people) is None
        await line.pool.execute("update dispatch.runs set lease_until = null where campaign_id = $1", campaign_id)
    finally:
        await pool.close()
    await line.transition(campaign_id, "start")
    async with gateway(line, campaign_id):
        assert await adds_up(line, campaign_id) == (20 if begun else 19)
    rows = await line.rows(campaign_id)
    assert (step_job(campaign_id, one, 0) in {row["job_id"] for row in rows}) == begun
    assert all(row["destination"] is None for row in rows if row["sender_id"] == one)
