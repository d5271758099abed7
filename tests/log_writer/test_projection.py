"""Nothing rests on the order, the number or the grouping in which events come: in Python and in PostgreSQL."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relaygram_common.contracts.delivery import DeliveryEvent
from relaygram_common.contracts.states import RANKS, MessageState, log_status
from relaygram_common.database.pool import EVERY_WORKSPACE, create_pool
from relaygram_log_writer.adapters.pg_log import PgLog
from relaygram_log_writer.core.projection import fold
from relaygram_log_writer.core.row import Row, row_of
from tests.log_writer.events import assert_counters_exact, event, new_campaign, rows_of
from tests.support.servers import Database

_JOBS = [UUID(int=number) for number in range(1, 5)]


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[DeliveryEvent], list[list[DeliveryEvent]]]:
    """What happened, and one way in which it may arrive: in any order, some of it twice, in batches of any size."""
    campaign = new_campaign()
    happened: dict[UUID, DeliveryEvent] = {}
    for job in _JOBS[: draw(st.integers(1, len(_JOBS)))]:
        for state in draw(st.lists(st.sampled_from([s.value for s in MessageState if s in RANKS]), max_size=6)):
            attempt = draw(st.integers(0, 3))
            made = event(
                state,
                campaign=campaign,
                job=job,
                attempt=attempt,
                seconds=draw(st.integers(0, 100)),
                body=f"{state} {attempt}",
                account_id=draw(st.sampled_from([3, None])),
                queued_at=draw(st.sampled_from([None, event("queued", campaign=1).queued_at])),
            )
            happened.setdefault(made.event_id, made)  # the same id is the same event
    arriving = draw(st.permutations([*happened.values(), *draw(_some_of(list(happened.values())))]))
    cuts = sorted(draw(st.lists(st.integers(0, len(arriving)), max_size=4)))
    batches = [list(arriving[a:b]) for a, b in zip([0, *cuts], [*cuts, len(arriving)], strict=True)]
    return list(happened.values()), batches


def _some_of(events: list[DeliveryEvent]) -> st.SearchStrategy[list[DeliveryEvent]]:
    return st.lists(st.sampled_from(events), max_size=4) if events else st.just([])


def _rows(events: list[DeliveryEvent]) -> list[Row]:
    return [row for row in map(row_of, events) if row is not None]


def _expected(events: list[DeliveryEvent]) -> dict[UUID, dict[str, Any]]:
    """The model: look at everything that ever happened to a job, at once."""
    jobs: dict[UUID, dict[str, Any]] = {}
    for job in {one.job_id for one in events}:
        mine = [one for one in events if one.job_id == job]
        best = max(mine, key=lambda one: (RANKS[one.state], one.attempt, [-ord(letter) for letter in one.state.value]))

        def earliest(state: str, mine: list[DeliveryEvent] = mine) -> Any:
            return min((one.occurred_at for one in mine if one.state == state), default=None)

        jobs[job] = {
            "state": best.state.value,
            "status": log_status(RANKS[best.state]),
            "attempt": best.attempt,
            "body": best.body,
            "error_code": best.error.code if best.error else None,
            "ended_at": best.occurred_at if RANKS[best.state] in (2, 3) else None,
            "account_id": 3 if any(one.account_id for one in mine) else None,
            "queued_at": min(in_milliseconds(one.queued_at or one.occurred_at) for one in mine),
            "sent_at": earliest("sent"),
            "read_at": earliest("read"),
            "replied_at": earliest("replied"),
        }
    return jobs


def in_milliseconds(moment: datetime) -> datetime:
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def _assert_as_expected(expected: dict[UUID, dict[str, Any]], found: dict[UUID, dict[str, Any]]) -> None:
    assert found.keys() == expected.keys()
    for job, fields in expected.items():
        assert {name: found[job][name] for name in fields} == fields


@given(histories())
@settings(max_examples=300, deadline=None)
def test_folding_gives_what_happened(history: tuple[list[DeliveryEvent], list[list[DeliveryEvent]]]) -> None:
    happened, batches = history
    log: list[Row] = []
    for batch in batches:
        log = list(fold([*log, *fold(_rows(batch)).values()]).values())
    found = {row.job_id: {**row._asdict(), "status": log_status(row.rank)} for row in log}
    _assert_as_expected(_expected(happened), found)


@pytest.fixture(scope="module")
async def pool(database: Database) -> AsyncIterator["asyncpg.Pool[asyncpg.Record]"]:
    pool = await create_pool(database.log_writer, application_name="test", workspace=EVERY_WORKSPACE, max_size=2)
    yield pool
    await pool.close()


@given(history=histories())
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_writing_gives_what_happened(
    pool: "asyncpg.Pool[asyncpg.Record]", history: tuple[list[DeliveryEvent], list[list[DeliveryEvent]]]
) -> None:
    happened, batches = history
    for batch in batches:
        await PgLog(pool).write(list(fold(_rows(batch)).values()))
    if not happened:
        return
    campaign = happened[0].campaign_id
    assert campaign is not None
    rows = await rows_of(pool, campaign)
    _assert_as_expected(_expected(happened), {row["job_id"]: dict(row) for row in rows})
    await assert_counters_exact(pool, campaign)


async def test_what_changes_nothing_takes_no_revision(pool: "asyncpg.Pool[asyncpg.Record]") -> None:
    log, campaign = PgLog(pool), new_campaign()
    rows = _rows([event(state, campaign=campaign, job=_JOBS[0]) for state in ("queued", "sent")])
    first = await log.write(list(fold(rows).values()))
    again = await log.write(list(fold(rows).values()))
    assert list(first.revisions) == [campaign]
    assert again.revisions == {}
    assert await log.write(rows[:1]) == again  # a late `queued` of what was sent long ago


async def test_a_lower_rank_only_fills_what_is_empty(pool: "asyncpg.Pool[asyncpg.Record]") -> None:
    log, campaign = PgLog(pool), new_campaign()
    sent = event("sent", campaign=campaign, job=_JOBS[0], body=None, destination="@ann_new", seconds=9)
    late = event("failed", campaign=campaign, job=_JOBS[0], body="Hello", destination="@ann", seconds=1)
    await log.write(_rows([sent]))
    await log.write(_rows([late]))
    (row,) = await rows_of(pool, campaign)
    assert (row["state"], row["body"], row["destination"]) == ("sent", "Hello", "@ann_new")
    assert (row["error_code"], row["ended_at"], row["sent_at"]) == (None, None, sent.occurred_at)


async def test_an_erased_row_takes_no_texts_any_more(pool: "asyncpg.Pool[asyncpg.Record]") -> None:
    log, campaign = PgLog(pool), new_campaign()
    await log.write(_rows([event("queued", campaign=campaign, job=_JOBS[0])]))
    await pool.execute(
        "update delivery.messages set erased_at = now(), body = null, destination = null where campaign_id = $1",
        campaign,
    )
    await log.write(_rows([event("sent", campaign=campaign, job=_JOBS[0])]))
    (row,) = await rows_of(pool, campaign)
    assert (row["status"], row["body"], row["destination"]) == ("sent", None, None)


async def test_feeds_grow_in_the_order_of_commits(pool: "asyncpg.Pool[asyncpg.Record]") -> None:
    log, campaign = PgLog(pool), new_campaign()
    for number in range(3):
        made = [event("queued", campaign=campaign, job=UUID(int=number * 10 + inner)) for inner in range(4)]
        await log.write(_rows(made))
    rows = await rows_of(pool, campaign)
    assert [row["position"] for row in rows] == list(range(1, 13))
    for feed in ("id", "revision", "created_at"):
        values = [row[feed] for row in rows]
        assert values == sorted(set(values)), feed
    assert rows[-1]["created_at"] - rows[0]["created_at"] < timedelta(seconds=30)
