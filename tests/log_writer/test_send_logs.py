"""Sends are what their messages make them, whatever the order, the doubling and the number of writers."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relaygram_common.contracts.delivery import DeliveryEvent
from relaygram_common.contracts.states import RANKS, MessageState
from relaygram_common.database.pool import EVERY_WORKSPACE, create_pool
from relaygram_log_writer.adapters.pg_log import PgLog
from relaygram_log_writer.core.projection import fold
from relaygram_log_writer.core.row import Row, row_of
from tests.log_writer.events import T0, event, new_campaign, rows_of
from tests.support.servers import Database

_STATES = [state.value for state in MessageState if state in RANKS]
_SENDS = """
select run_id, step, trigger, follow_up, messages, accepted, started_at, first_position, last_position, unsettled
  from delivery.sends where place = $1 and messages > 0"""
Sends = dict[tuple[int, int, str, int], dict[str, Any]]


@pytest.fixture(scope="module")
async def pool(database: Database) -> AsyncIterator["asyncpg.Pool[asyncpg.Record]"]:
    pool = await create_pool(database.log_writer, application_name="test", workspace=EVERY_WORKSPACE, max_size=4)
    yield pool
    await pool.close()


@st.composite
def histories(draw: st.DrawFn) -> tuple[int, list[list[DeliveryEvent]]]:
    """Events of some messages, of which some change their step, run or start on the way, in batches of any size."""
    campaign, events = new_campaign(), []
    for job in [uuid4() for _ in range(draw(st.integers(1, 5)))]:
        for state in draw(st.lists(st.sampled_from(_STATES), min_size=1, max_size=4)):
            trigger = draw(st.sampled_from(["broadcast", "schedule", "sequence", "follow_up", "opt_out", None]))
            events.append(
                event(
                    state,
                    campaign=campaign,
                    job=job,
                    attempt=draw(st.integers(0, 2)),
                    seconds=draw(st.integers(0, 5)),
                    run_id=draw(st.sampled_from([5, 5, None])),
                    step=draw(st.sampled_from([0, 1, None])),
                    trigger=trigger,
                    follow_up=draw(st.sampled_from([0, 1])) if trigger == "follow_up" else None,
                    queued_at=T0 + timedelta(milliseconds=draw(st.integers(0, 3))),
                )
            )
    arriving = draw(st.permutations([*events, *draw(st.lists(st.sampled_from(events), max_size=4))]))
    cuts = sorted(draw(st.lists(st.integers(0, len(arriving)), max_size=5)))
    return campaign, [list(arriving[a:b]) for a, b in zip([0, *cuts], [*cuts, len(arriving)], strict=True)]


def _folded(events: list[DeliveryEvent]) -> list[Row]:
    return list(fold(row for one in events if (row := row_of(one)) is not None).values())


def _expected(rows: list[asyncpg.Record]) -> Sends:
    """The model: look at all the campaign's messages as they are now."""
    messages: dict[tuple[int, int, str, int], list[asyncpg.Record]] = defaultdict(list)
    for row in rows:
        if row["trigger"] not in (None, "opt_out"):
            trigger = "broadcast" if row["trigger"] == "schedule" else row["trigger"]
            follow_up = -1 if row["follow_up"] is None else row["follow_up"]
            messages[row["run_id"] or 0, row["step"] or 0, trigger, follow_up].append(row)
    return {
        key: {
            "messages": len(mine),
            "accepted": sum(row["rank"] >= RANKS[MessageState.SENT] for row in mine),
            "started_at": min(row["queued_at"] for row in mine),
        }
        for key, mine in messages.items()
    }


async def _assert_exact(pool: "asyncpg.Pool[asyncpg.Record]", campaign: int) -> None:
    rows, sends = await rows_of(pool, campaign), await pool.fetch(_SENDS, campaign)
    assert not any(send["unsettled"] for send in sends)
    found = {(one["run_id"], one["step"], one["trigger"], one["follow_up"]): one for one in sends}
    expected = _expected(rows)
    assert found.keys() == expected.keys()
    for key, fields in expected.items():
        assert {name: found[key][name] for name in fields} == fields
    for row in rows:
        if row["trigger"] not in (None, "opt_out"):
            assert any(one["first_position"] <= row["position"] <= one["last_position"] for one in sends)


@given(history=histories())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_sends_are_the_sums_over_their_messages(
    pool: "asyncpg.Pool[asyncpg.Record]", history: tuple[int, list[list[DeliveryEvent]]]
) -> None:
    campaign, batches = history
    for batch in batches:
        await PgLog(pool).write(_folded(batch))
        await _assert_exact(pool, campaign)


async def test_four_writers_at_once_count_each_message_once(pool: "asyncpg.Pool[asyncpg.Record]") -> None:
    campaign, jobs = new_campaign(), [uuid4() for _ in range(120)]

    async def write(writer: int) -> None:
        log = PgLog(pool)
        for state in ("queued", "sent", "read") if writer % 2 else ("sent", "queued", "failed"):
            for first in range(0, len(jobs), 40):
                made = [
                    event(state, campaign=campaign, job=job, step=number % 3, queued_at=T0 + timedelta(seconds=number))
                    for number, job in enumerate(jobs)
                ]
                await log.write(_folded(made[first : first + 40]))

    await asyncio.gather(*(write(writer) for writer in range(4)))
    await _assert_exact(pool, campaign)
    sends = await pool.fetch(_SENDS, campaign)
    assert sorted((send["step"], send["messages"], send["accepted"]) for send in sends) == [
        (step, 40, 40) for step in range(3)
    ]


async def test_a_moved_first_message_gives_its_old_send_a_later_start(pool: "asyncpg.Pool[asyncpg.Record]") -> None:
    campaign, first = new_campaign(), uuid4()
    later = T0 + timedelta(seconds=30)
    await PgLog(pool).write(_folded([event("queued", campaign=campaign, job=first, step=0, queued_at=T0)]))
    for number in range(3):
        waiting = event("queued", campaign=campaign, step=0, queued_at=later + timedelta(seconds=number))
        await PgLog(pool).write(_folded([waiting]))
    await PgLog(pool).write(_folded([event("sent", campaign=campaign, job=first, step=1, queued_at=later)]))
    sends = await pool.fetch(_SENDS, campaign)
    assert {send["step"]: (send["started_at"], send["accepted"]) for send in sends} == {0: (later, 0), 1: (T0, 1)}


async def test_a_far_start_is_found_in_bounded_looks(pool: "asyncpg.Pool[asyncpg.Record]") -> None:
    campaign, first, workspace = new_campaign(), uuid4(), 77
    made = [event("queued", campaign=campaign, job=first, workspace_id=workspace, queued_at=T0)]
    last = T0 + timedelta(seconds=60)
    made.append(event("queued", campaign=campaign, workspace_id=workspace, queued_at=last))
    between, other = range(1, 50), new_campaign()
    for number in between:  # some of them in the same millisecond
        at = T0 + timedelta(milliseconds=number // 7)
        made.append(event("queued", campaign=other, workspace_id=workspace, queued_at=at))
    await PgLog(pool).write(_folded(made))
    # As if a look ended after ten messages.
    await pool.execute("update delivery.sends set unsettled = true, started_at = $2 where place = $1", campaign, T0)
    await pool.execute("update delivery.messages set step = 1 where campaign_id = $1 and job_id = $2", campaign, first)
    starts = []
    is_unsettled = True
    while is_unsettled:
        await pool.execute("select delivery.settle_sends(10)")
        (found,) = await pool.fetch("select started_at, unsettled from delivery.sends where place = $1", campaign)
        is_unsettled = found["unsettled"]
        starts.append(found["started_at"])
    assert starts == sorted(set(starts))  # nearer each time, never beyond
    assert starts[-1] == last
    assert 3 <= len(starts) <= 6


async def _campaign(database: Database, **fields: Any) -> int:
    """A campaign of workspace 1, as the api makes them."""
    owner = await asyncpg.connect(database.dsn)
    try:
        workspace = await owner.fetchval(
            "insert into control.workspaces (name) values ($1) on conflict (name) do update set name = excluded.name"
            " returning id",
            "sends",
        )
        account = await owner.fetchval(
            "insert into control.telegram_accounts (workspace_id, kind, status, limits)"
            " values ($1, 'user', 'active', '{}') returning id",
            workspace,
        )
        names = {"mode": "broadcast", "name": "n", "body": "Hello {{first_name}}", **fields}
        made: int = await owner.fetchval(
            f"insert into control.campaigns (workspace_id, telegram_account_id, {', '.join(names)})"  # noqa: S608 - ours
            f" values ($1, $2, {', '.join(f'${place}' for place in range(3, 3 + len(names)))}) returning id",
            workspace,
            account,
            *names.values(),
        )
        return made
    finally:
        await owner.close()


async def _told(pool: "asyncpg.Pool[asyncpg.Record]", campaign: int) -> list[tuple[Any, ...]]:
    found = "select step, trigger, triggered_by, message from delivery.sends where campaign_id = $1 order by id"
    return [tuple(row) for row in await pool.fetch(found, campaign)]


async def test_the_template_is_the_one_that_stood_when_the_send_began(
    pool: "asyncpg.Pool[asyncpg.Record]", database: Database
) -> None:
    campaign = await _campaign(database)
    owner = await asyncpg.connect(database.dsn)
    await PgLog(pool).write(_folded([event("queued", campaign=campaign, body="Hello Ann")]))
    await owner.execute("update control.campaigns set body = 'Changed', deleted_at = now() where id = $1", campaign)
    await PgLog(pool).write(_folded([event("queued", campaign=campaign, body="Hello Bob")]))
    await owner.close()
    assert await _told(pool, campaign) == [(0, "broadcast", "broadcast", "Hello {{first_name}}")]


async def test_steps_and_follow_ups_have_their_own_templates(
    pool: "asyncpg.Pool[asyncpg.Record]", database: Database
) -> None:
    campaign = await _campaign(database)
    owner = await asyncpg.connect(database.dsn)
    await owner.execute(
        "insert into control.steps (workspace_id, campaign_id, identity, position, body, followups)"
        """ select workspace_id, id, n, n, 'Step ' || n, '[{"after_hours": 1, "body": "Again"}]'"""
        " from control.campaigns, generate_series(0, 1) n where id = $1",
        campaign,
    )
    await owner.close()
    for step, trigger, follow_up in ((0, "broadcast", None), (1, "sequence", None), (1, "follow_up", 0)):
        made = event("sent", campaign=campaign, step=step, trigger=trigger, follow_up=follow_up)
        await PgLog(pool).write(_folded([made]))
    await PgLog(pool).write(_folded([event("sent", campaign=campaign, step=7, trigger="sequence")]))  # removed since
    assert await _told(pool, campaign) == [
        (0, "broadcast", "broadcast", "Step 0"),
        (1, "sequence", "sequence", "Step 1"),
        (1, "follow_up", "follow_up", "Again"),
        (7, "sequence", "sequence", ""),
    ]


@pytest.mark.parametrize("actor", ["schedule", "user:1"])
async def test_a_broadcast_says_when_its_schedule_started_it(
    pool: "asyncpg.Pool[asyncpg.Record]", database: Database, actor: str
) -> None:
    campaign = await _campaign(database, total_contacts=1)
    owner = await asyncpg.connect(database.dsn)
    start = "select (control.transition(workspace_id, id, 'start', $2)).outcome from control.campaigns where id = $1"
    assert await owner.fetchval(start, campaign, actor) == "changed"
    await owner.close()
    await PgLog(pool).write(_folded([event("queued", campaign=campaign)]))
    await PgLog(pool).write(_folded([event("queued", campaign=campaign, step=1, trigger="sequence")]))
    told = {"schedule": "schedule"}.get(actor, "broadcast")
    assert [row[2] for row in await _told(pool, campaign)] == [told, "sequence"]


async def test_a_test_is_a_send_of_the_campaign_that_was_tested(
    pool: "asyncpg.Pool[asyncpg.Record]", database: Database
) -> None:
    campaign, jobs = await _campaign(database), [uuid4(), uuid4()]
    owner = await asyncpg.connect(database.dsn)
    for job, body in zip(jobs, (None, "Step's own {{handle}}"), strict=True):
        await owner.execute(
            "insert into control.single_sends (workspace_id, campaign_id, account_id, job_id, handle, body)"
            " select workspace_id, id, telegram_account_id, $2, 'ann', $3 from control.campaigns where id = $1",
            campaign,
            job,
            body,
        )
    await owner.close()
    for state in ("queued", "sent"):
        for job in jobs:
            made = event(
                state, campaign=None, job=job, trigger="test", run_id=None, step=None if state == "sent" else 1
            )
            await PgLog(pool).write(_folded([made]))
    assert await _told(pool, campaign) == [
        (0, "test", "test", "Hello {{first_name}}"),
        (0, "test", "test", "Step's own {{handle}}"),
    ]
    accepted = await pool.fetch("select messages, accepted from delivery.sends where campaign_id = $1", campaign)
    assert [tuple(row) for row in accepted] == [(1, 1), (1, 1)]


async def test_confirmations_and_other_channels_are_no_sends(pool: "asyncpg.Pool[asyncpg.Record]") -> None:
    counted = "select count(*) from delivery.sends"
    before = await pool.fetchval(counted)
    others = [
        event("sent", campaign=None, trigger="opt_out", run_id=None),
        event("sent", campaign=None, channel="sms", trigger="broadcast"),
        event("sent", campaign=None, trigger="test", run_id=None),  # of somebody who was erased meanwhile
    ]
    await PgLog(pool).write(_folded(others))
    assert await pool.fetchval(counted) == before


async def test_a_send_leaves_with_its_last_message(pool: "asyncpg.Pool[asyncpg.Record]") -> None:
    campaign = new_campaign()
    for number in range(4):
        await PgLog(pool).write(_folded([event("sent", campaign=campaign, job=UUID(int=number), step=number // 2)]))
    trim = "select rows_left from delivery.trim_log('test', $1, interval '0', $2)"
    assert await pool.fetchval(trim, campaign, 3) == 3
    (left,) = await pool.fetch(_SENDS, campaign)
    assert (left["step"], left["messages"], left["accepted"]) == (1, 2, 2)  # of its life
    assert await pool.fetchval(trim, campaign, 3) == 1
    assert await pool.fetch(_SENDS, campaign) == []
