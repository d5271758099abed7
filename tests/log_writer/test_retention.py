"""Old rows leave from the beginning of each log; positions, counters and what is still open stay right."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from relaygram_common.contracts.delivery import DeliveryEvent
from relaygram_common.database.pool import EVERY_WORKSPACE, create_pool
from relaygram_local_stack.servers import NatsServer
from relaygram_log_writer.adapters.pg_log import PgLog
from relaygram_log_writer.adapters.pg_retention import PgRetention
from relaygram_log_writer.core.projection import fold
from relaygram_log_writer.core.row import row_of
from relaygram_log_writer.core.trimming import next_rows, pause_seconds
from relaygram_log_writer.retention import Retention
from tests.log_writer.events import T0, event, new_campaign
from tests.log_writer.running import bench, log_writer
from tests.support.servers import Database
from tests.support.waiting import eventually

KEEP = timedelta(days=30)

_AGE = """
update delivery.messages set created_at = created_at - interval '31 days' where campaign_id = $1 and position <= $2"""
_STANDS = """
select k.first_position, k.last_position, k.pending, k.sent, k.failed,
       k.retained_pending, k.retained_sent, k.retained_failed,
       (select array_agg(m.position order by m.position) from delivery.messages m where m.campaign_id = $1) as positions
  from delivery.campaign_counters k where k.campaign_id = $1"""


@pytest.fixture(scope="module")
async def pool(database: Database) -> AsyncIterator["asyncpg.Pool[asyncpg.Record]"]:
    pool = await create_pool(database.log_writer, application_name="test", workspace=EVERY_WORKSPACE, max_size=4)
    yield pool
    await pool.close()


@pytest.fixture
async def owner(database: Database) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    connection = await asyncpg.connect(database.dsn)
    await connection.execute("update delivery.retention set until = '-infinity'")
    yield connection
    await connection.close()


def keeper(pool: Any, name: str = "me") -> Retention:
    return Retention(PgRetention(pool, owner=name), keep=KEEP)


def told(state: str, campaign: int | None, **fields: Any) -> DeliveryEvent:
    """An event of a message that was made long ago, as its row is made to look."""
    return event(state, campaign=campaign, queued_at=T0 - timedelta(days=31), **fields)


async def write(pool: Any, *events: DeliveryEvent) -> None:
    await PgLog(pool).write(list(fold(row for row in map(row_of, events) if row is not None).values()))


async def stands(owner: Any, campaign: int) -> dict[str, Any]:
    found = await owner.fetchrow(_STANDS, campaign)
    return dict(found)


async def test_old_rows_leave_from_the_beginning_and_only_what_is_retained_is_counted_anew(
    pool: Any, owner: Any
) -> None:
    campaign = new_campaign()
    await write(pool, *(told("failed" if number % 3 == 0 else "sent", campaign) for number in range(900)))
    await write(pool, event("queued", campaign=campaign))
    await owner.execute(_AGE, campaign, 700)
    assert await keeper(pool).sweep() == 700
    found = await stands(owner, campaign)
    assert (found["first_position"], found["last_position"]) == (701, 901)
    assert found["positions"] == list(range(701, 902))
    assert (found["pending"], found["sent"], found["failed"]) == (1, 600, 300)
    assert (found["retained_pending"], found["retained_sent"], found["retained_failed"]) == (1, 134, 66)
    assert await keeper(pool).sweep() == 0


async def test_a_pending_row_holds_what_is_behind_it_until_it_has_its_outcome(pool: Any, owner: Any) -> None:
    campaign, job = new_campaign(), uuid4()
    await write(pool, told("sent", campaign), told("queued", campaign, job=job), told("sent", campaign))
    await owner.execute(_AGE, campaign, 3)
    await keeper(pool).sweep()
    assert (await stands(owner, campaign))["positions"] == [2, 3]
    await write(pool, told("sent", campaign, job=job))
    await keeper(pool).sweep()
    found = await stands(owner, campaign)
    assert (found["positions"], found["first_position"], found["last_position"]) == (None, 4, 3)
    await write(pool, event("sent", campaign=campaign))  # and it goes on where it was
    assert (await stands(owner, campaign))["positions"] == [4]


async def test_whoever_waits_for_a_further_step_keeps_the_rows_that_say_what_they_had(pool: Any, owner: Any) -> None:
    campaign = new_campaign()
    await write(pool, told("sent", campaign, sender_id=1), told("sent", campaign, sender_id=2))
    await owner.execute(_AGE, campaign, 2)
    await owner.execute(
        "insert into dispatch.due (job_id, workspace_id, campaign_id, account_id, contact_id, trigger, due_at)"
        " values ($1, 1, $2, 3, 2, 'sequence', now())",
        uuid4(),
        campaign,
    )
    await keeper(pool).sweep()
    assert (await stands(owner, campaign))["positions"] == [2]
    await owner.execute("delete from dispatch.due where campaign_id = $1", campaign)
    await keeper(pool).sweep()
    assert (await stands(owner, campaign))["positions"] is None


@pytest.mark.parametrize(("place", "channel"), [(0, "telegram"), (-1, "sms")])
async def test_rows_of_no_campaign_leave_too(pool: Any, owner: Any, place: int, channel: str) -> None:
    await write(pool, *(told("sent", None, channel=channel) for _ in range(3)))
    await owner.execute(_AGE, place, 3)
    await keeper(pool).sweep()
    assert (await stands(owner, place))["positions"] is None


async def test_a_send_leaves_with_the_last_of_its_messages(pool: Any, owner: Any) -> None:
    campaign = new_campaign()
    await write(pool, *(told("sent", campaign, step=step) for step in (0, 0, 1)))
    sends = "select array_agg(step order by step) from delivery.sends where place = $1"
    for old, kept in ((1, [0, 1]), (2, [1]), (3, None)):
        await owner.execute(_AGE, campaign, old)
        await keeper(pool).sweep()
        assert await owner.fetchval(sends, campaign) == kept


async def test_the_ledger_forgets_a_message_with_its_row(pool: Any, owner: Any) -> None:
    campaign, decided, undecided = new_campaign(), uuid4(), uuid4()
    await write(pool, *(told("sent", campaign, job=job) for job in (decided, undecided)))
    for job, state, decided_at in ((decided, "accepted", T0), (undecided, "sending", None)):
        await owner.execute(
            "insert into telegram.sends (job_id, workspace_id, campaign_id, account_id, contact_id, step, state,"
            " attempt, term, first_at, last_at, decided_at) values ($1, 1, $2, 3, 11, 0, $3, 1, 1, now(), now(), $4)",
            job,
            campaign,
            state,
            decided_at,
        )
    await keeper(pool).sweep()
    kept = "select job_id from telegram.sends where campaign_id = $1"
    assert len(await owner.fetch(kept, campaign)) == 2
    await owner.execute(_AGE, campaign, 2)
    await keeper(pool).sweep()
    assert [row["job_id"] for row in await owner.fetch(kept, campaign)] == [undecided]


async def test_what_has_left_does_not_come_back_when_its_events_are_told_again(pool: Any, owner: Any) -> None:
    campaign, jobs = new_campaign(), [uuid4() for _ in range(4)]
    events = [told("sent", campaign, job=job) for job in jobs]
    await write(pool, *events)
    await owner.execute(_AGE, campaign, 2)
    await keeper(pool).sweep()
    before = await stands(owner, campaign)
    await write(pool, *events, told("read", campaign, job=jobs[0], seconds=9))
    assert await stands(owner, campaign) == before
    await write(pool, event("sent", campaign=campaign))
    assert (await stands(owner, campaign))["positions"] == [3, 4, 5]


async def test_several_writers_clear_up_one_at_a_time_and_another_follows_who_falls_silent(
    pool: Any, owner: Any
) -> None:
    campaign = new_campaign()
    await write(pool, *(told("sent", campaign) for _ in range(600)))
    await owner.execute(_AGE, campaign, 600)
    one, other = keeper(pool, "one"), keeper(pool, "other")
    assert sorted(await asyncio.gather(one.sweep(), other.sweep())) == [0, 600]
    await write(pool, event("sent", campaign=campaign))
    await owner.execute(_AGE, campaign, 601)
    first = await owner.fetchval("select owner from delivery.retention")
    second = other if first == "one" else one
    assert await second.sweep() == 0
    await owner.execute("update delivery.retention set until = clock_timestamp()")
    assert await second.sweep() == 1


async def test_writers_and_retention_at_once_keep_everything_exact(pool: Any, owner: Any) -> None:
    campaign, jobs = new_campaign(), [UUID(int=number) for number in range(2000)]
    await write(pool, *(told("sent", campaign, job=job) for job in jobs))
    await owner.execute(_AGE, campaign, 2000)

    async def write_more(number: int) -> None:
        for _ in range(20):
            await write(pool, *(event("sent", campaign=campaign) for _ in range(25)))
            await write(pool, told("read", campaign, job=jobs[-1 - number], seconds=5))

    left, *_ = await asyncio.gather(keeper(pool).sweep(), *(write_more(number) for number in range(3)))
    found = await stands(owner, campaign)
    assert left == 2000
    assert found["positions"] == list(range(2001, 3501))
    assert (found["first_position"], found["last_position"], found["sent"], found["retained_sent"]) == (
        2001,
        3500,
        3500,
        1500,
    )


async def test_the_service_clears_up_when_it_is_told_to(
    provisioned_nats: NatsServer, database: Database, owner: Any
) -> None:
    campaign = new_campaign()
    async with bench(provisioned_nats.url, database.dsn) as outside:
        async with log_writer(provisioned_nats.url, database.log_writer):
            await outside.publish([told("sent", campaign) for _ in range(5)])
            await outside.drained()
            await owner.execute(_AGE, campaign, 5)
        assert len((await stands(owner, campaign))["positions"]) == 5  # for ever, by default
        async with log_writer(provisioned_nats.url, database.log_writer, log_retention_days=30):

            async def all_left() -> bool:
                return (await stands(owner, campaign))["positions"] is None

            await eventually(all_left)


@pytest.mark.parametrize(("held_ms", "rows"), [(0.0, 400), (5.0, 400), (15.0, 200), (30.0, 100), (600.0, 50)], ids=str)
def test_batches_are_as_large_as_the_lock_allows(held_ms: float, rows: int) -> None:
    assert next_rows(200, held_ms) == rows
    assert next_rows(5000, held_ms) <= 5000
    assert pause_seconds(held_ms) >= max(0.01, 3 * held_ms / 1000)
