"""Totals of the log that are not counted row by row are those of the rows, whatever was written, erased or has left."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.api.log_rows import row, write_log
from tests.api.support import Api

_CODES = (None, "", "PEER_FLOOD", "NETWORK", "USER_DEACTIVATED")
_STATES = ("queued", "retrying", "failed", "sent", "read", "replied")
_AGE = """
update delivery.messages m set created_at = m.created_at - interval '31 days' from delivery.campaign_counters k
 where m.campaign_id = $1 and k.campaign_id = $1 and m.position < k.first_position + $2"""
# These do not leave.
_OLDEST_PENDING = """
select array_agg(m.job_id) from delivery.messages m join delivery.campaign_counters k using (campaign_id)
 where m.campaign_id = $1 and m.position < k.first_position + $2 and m.status = 'pending'"""
_TRIM = "select rows_left from delivery.trim_log('test', $1, '30 days', 1000)"
# As the trigger notes it each some thousand rows.
_MARK = """
insert into delivery.log_marks (campaign_id, revision, first_position, last_position, settled, read)
select campaign_id, last_revision, first_position, last_position, sent + failed, read
  from delivery.campaign_counters where campaign_id = $1 on conflict do nothing"""
_BEHIND = "select delivery.changes_behind($1, $2, $3)"

examples = settings(
    max_examples=6,
    deadline=None,
    phases=[Phase.generate],  # chance has no simpler case
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
chances = given(chance=st.randoms(use_true_random=False))


@asynccontextmanager
async def _looking(api: Api, workspace: int | None = None) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    """A connection as the api has them."""
    named = {"relaygram.workspace_id": str(workspace or api.workspace_id)}
    connection = await asyncpg.connect(api.database.api, server_settings=named)
    try:
        yield connection
    finally:
        await connection.close()


async def _something_happens(api: Api, campaign: int, jobs: list[Any], chance: Random) -> None:
    """To some messages, known and new: they are told of in any state, are erased, or leave for their age."""
    what = chance.random()
    if what < 0.25:
        oldest = chance.randint(1, 40)
        pending = await api.sql(_OLDEST_PENDING, campaign, oldest) or []
        await write_log(api, [row(campaign, "sent", job_id=job) for job in pending])
        await api.sql(_AGE, campaign, oldest)
        await api.sql(_TRIM, campaign, role="relaygram_log_writer")
    elif what < 0.35:
        people = chance.sample(range(1, 10), 2)
        async with _looking(api) as connection:
            await connection.execute("select delivery.erase_messages($1, $2, '{}')", [campaign] * 2, people)
    else:
        jobs += [uuid4() for _ in range(chance.randint(0, 30))]
        some = chance.sample(jobs, min(len(jobs), chance.randint(1, 40)))
        told = [(chance.choice(_STATES), chance.randint(0, 3), chance.choice(_CODES)) for _ in some]
        await write_log(
            api,
            [
                row(campaign, state, job_id=job, attempt=attempt, error_code=code, sender_id=1 + job.int % 9, body="Hi")
                for job, (state, attempt, code) in zip(some, told, strict=True)
            ],
        )


async def _total(api: Api, campaign: int, **params: Any) -> tuple[int, bool]:
    page = (await api.call("GET", f"/campaigns/{campaign}/logs", params=params))["meta"]["pagination"]
    return page["total"], page["total_is_capped"]


@examples
@chances
async def test_the_total_of_a_code_is_that_of_its_rows(api: Api, chance: Random) -> None:
    campaign, jobs = (await api.campaign())["id"], list[Any]()
    count = "select count(*) from delivery.messages where campaign_id = $1 and error_code = $2"
    for _ in range(8):
        await _something_happens(api, campaign, jobs, chance)
        for code in (*_CODES[1:], "UNHEARD_OF"):
            assert await _total(api, campaign, code=code) == (await api.sql(count, campaign, code), False), code


@examples
@chances
async def test_changes_behind_a_revision_are_told_to_the_row(api: Api, chance: Random) -> None:
    campaign, jobs = (await api.campaign())["id"], [uuid4() for _ in range(chance.choice((10, 400)))]
    async with _looking(api) as connection, connection.transaction(readonly=True):
        assert await connection.fetchval(_BEHIND, campaign, 0, 100) == 0
    await write_log(api, [row(campaign, "queued", job_id=job, sender_id=1 + job.int % 9) for job in jobs])
    for _ in range(8):
        await _something_happens(api, campaign, jobs, chance)
        if chance.random() < 0.5:
            await api.sql(_MARK, campaign)
        async with _looking(api) as connection:
            revisions = await connection.fetchval(
                "select array_agg(revision order by revision) from delivery.messages where campaign_id = $1", campaign
            )
            for revision in {0, *(revisions or [])[::17], *(revisions or [5])[-1:]}:
                for most in (1, 5, 60, 129, 300):
                    behind = sum(one > revision for one in revisions or [])
                    told = await connection.fetchval(_BEHIND, campaign, revision, most)
                    assert told == min(behind, most), (revision, most)


@pytest.fixture(scope="module")
async def long_log(api: Api) -> int:
    """A campaign of 10,200 messages, which were all made before the first was sent."""
    campaign: int = (await api.campaign())["id"]
    jobs = [uuid4() for _ in range(10_200)]
    for state in ("queued", "sent"):
        for first in range(0, len(jobs), 3400):
            error = {"error_code": "PEER_FLOOD"} if state == "sent" else {}  # a code of whatever state
            await write_log(api, [row(campaign, state, job_id=job, body="x", **error) for job in jobs[first:][:3400]])
    await write_log(api, [row(campaign, "failed", error_code="NETWORK") for _ in range(130)])
    return campaign


async def test_many_changes_are_proven_and_not_counted(api: Api, long_log: int) -> None:
    """By what the trigger noted: of the messages that were sent since, each has changed since."""
    assert await api.sql("select count(*) from delivery.log_marks where campaign_id = $1", long_log) > 2
    sent = await api.sql("select min(revision) from delivery.messages where campaign_id = $1", long_log)
    async with _looking(api) as connection:
        for revision in (0, sent - 9000, sent - 1, sent + 500):
            async with connection.transaction():
                assert await connection.fetchval(_BEHIND, long_log, revision, 5000) == 5000
                looked_at = await connection.fetchval(
                    "select idx_tup_fetch from pg_stat_xact_all_tables where relid = 'delivery.messages'::regclass"
                )
                assert looked_at == 0
        for revision in range(sent - 20, sent + 10_350, 517):
            counted = "select count(*) from delivery.messages where campaign_id = $1 and revision > $2"
            exact = await connection.fetchval(counted, long_log, revision)
            assert await connection.fetchval(_BEHIND, long_log, revision, 10_001) == min(exact, 10_001)


async def test_the_total_of_a_code_stops_at_ten_thousand_as_others_do(api: Api, long_log: int) -> None:
    assert await _total(api, long_log, code="PEER_FLOOD") == (10_000, True)
    assert await _total(api, long_log, code="NETWORK") == (130, False)
    assert await _total(api, long_log, code="NETWORK", status="failed") == (130, False)
    assert await _total(api, long_log, code="NETWORK", page=400) == (130, False)


async def test_functions_that_look_as_the_owner_tell_nothing_of_other_workspaces(api: Api, long_log: int) -> None:
    other = await api.sql("insert into control.workspaces (name) values ('other') returning id")
    async with _looking(api, other) as connection:
        assert await connection.fetchval(_BEHIND, long_log, 0, 10_001) == 0
        assert await connection.fetchval("select delivery.position_after($1, null, 0)", long_log) is None
    async with _looking(api) as connection:
        assert await connection.fetchval("select delivery.position_after($1, null, 0)", long_log) == 1


async def test_marks_leave_with_the_rows_that_they_tell_of(api: Api) -> None:
    campaign = (await api.campaign())["id"]
    for _ in range(3):
        await write_log(api, [row(campaign, "sent", body="x") for _ in range(2100)])
    marks = "select array_agg(last_position order by revision) from delivery.log_marks where campaign_id = $1"
    assert await api.sql(marks, campaign) == [4200, 6300]
    await api.sql(_AGE, campaign, 5000)
    for _ in range(6):
        await api.sql(_TRIM, campaign, role="relaygram_log_writer")
    assert [one for one in await api.sql(marks, campaign) if one < 4096] == []
    assert 6300 in await api.sql(marks, campaign)
    await api.sql(_AGE, campaign, 1300)
    for _ in range(2):
        await api.sql(_TRIM, campaign, role="relaygram_log_writer")
    assert await _total(api, campaign, changed_since=0) == (0, False)
