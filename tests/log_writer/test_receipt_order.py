"""Receipts and messages may come in any order, twice, late, and to several writers at once."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relaygram_common.contracts.delivery import DeliveryEvent
from relaygram_common.contracts.ids import event_id
from relaygram_common.contracts.receipts import Receipt
from relaygram_common.database.pool import EVERY_WORKSPACE, create_pool
from relaygram_log_writer.adapters.pg_log import PgLog
from relaygram_log_writer.adapters.pg_receipts import PgReceipts
from relaygram_log_writer.core.projection import fold
from relaygram_log_writer.core.row import row_of
from tests.log_writer.chats import Model, arrivals
from tests.log_writer.events import assert_counters_exact
from tests.support.servers import Database

Pool = Any  # a pool of records: the class can not be subscripted at run time
Things = Sequence[DeliveryEvent | Receipt]
_CAMPAIGNS = (901, 902)
_JOBS = (
    "select job_id, read_at, replied_at, last_reply_at, state, attempt from delivery.messages where job_id = any ($1)"
)
_TOLD = "select body from control.outbox where (body ->> 'job_id')::uuid = any ($1)"


@pytest.fixture(scope="module")
async def pool(database: Database) -> AsyncIterator[Pool]:
    pool = await create_pool(database.log_writer, application_name="test", workspace=EVERY_WORKSPACE, max_size=4)
    yield pool
    await pool.close()


@pytest.fixture(scope="module")
async def owner(database: Database) -> AsyncIterator[Pool]:
    pool = await create_pool(database.dsn, application_name="test", workspace=EVERY_WORKSPACE, max_size=1)
    yield pool
    await pool.close()


async def _arrive(pool: Pool, things: Things) -> None:
    """As the two loops of the log-writer do with a batch each."""
    receipts = PgReceipts(pool)
    rows = fold([row for one in things if isinstance(one, DeliveryEvent) and (row := row_of(one))])
    if rows:
        await PgLog(pool).write(list(rows.values()))
        if late := await receipts.late(list(rows.values())):
            await receipts.apply([], late)
    if taken := [one for one in things if isinstance(one, Receipt)]:
        await receipts.apply(taken)


async def _found(owner: Pool, jobs: Sequence[UUID]) -> tuple[dict[UUID, Any], set[tuple[UUID, str]]]:
    """The rows of these jobs, and the events told of them: each once, with the contract's id."""
    rows = {row["job_id"]: row for row in await owner.fetch(_JOBS, jobs)}
    told = [row["body"] for row in await owner.fetch(_TOLD, jobs)]
    for body in told:
        row = rows[UUID(body["job_id"])]
        assert body["event_id"] == str(event_id(row["job_id"], body["state"], row["attempt"]))
    kinds = {(UUID(body["job_id"]), body["state"]) for body in told}
    assert len(kinds) == len(told)
    return rows, kinds


def _state(read: object, replied: object) -> str:
    return "replied" if replied else "read" if read else "sent"


@given(batches=arrivals(_CAMPAIGNS))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_receipts_mark_what_they_say_in_any_order_and_how_often_they_come(
    pool: Pool, owner: Pool, batches: list[Things]
) -> None:
    model = Model()
    for batch in batches:
        events = [one for one in batch if isinstance(one, DeliveryEvent)]
        await _arrive(pool, batch)
        model.arrive(*events)
        model.arrive(*batch)
    rows, told = await _found(owner, list(model.messages))
    assert {job: row["read_at"] for job, row in rows.items() if row["read_at"]} == model.read_at
    assert {job: row["replied_at"] for job, row in rows.items() if row["replied_at"]} == model.replied_at
    assert {job: row["last_reply_at"] for job, row in rows.items() if row["last_reply_at"]} == model.last_reply_at
    for job, row in rows.items():
        assert row["state"] == _state(job in model.read_at, job in model.replied_at)
    assert told == model.told()
    for campaign in {one.campaign_id for one in model.messages.values() if one.campaign_id}:
        await assert_counters_exact(owner, campaign)


@given(batches=arrivals(_CAMPAIGNS), writers=st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_several_writers_lose_and_double_nothing(
    pool: Pool, owner: Pool, batches: list[Things], writers: st.DataObject
) -> None:
    shares: list[list[Things]] = [[], [], []]
    for batch in batches:
        shares[writers.draw(st.integers(0, 2))].append(batch)

    async def write(share: list[Things]) -> None:
        for batch in share:
            await _arrive(pool, batch)

    await asyncio.gather(*map(write, shares))
    model = Model()
    model.arrive(*[one for batch in batches for one in batch])
    rows, told = await _found(owner, list(model.messages))
    assert {job: row["read_at"] for job, row in rows.items() if row["read_at"]} == model.read_at
    # A message that came late does not take the reply from one that was the newest until then.
    replied = {job for job, row in rows.items() if row["replied_at"]}
    assert replied >= {*model.replied_at}
    assert told == {(job, "read") for job in model.read_at} | {(job, "replied") for job in replied}
    for campaign in {one.campaign_id for one in model.messages.values() if one.campaign_id}:
        await assert_counters_exact(owner, campaign)
