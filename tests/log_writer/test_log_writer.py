"""Events in, rows out, through the real nats-server and PostgreSQL."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from uuid import uuid4

import orjson
import pytest
from nats.aio.msg import Msg

from relaygram_common.contracts.doorbells import LogChanged
from relaygram_local_stack.servers import NatsServer
from tests.log_writer.events import assert_counters_exact, event, new_campaign, rows_of
from tests.log_writer.running import Bench, bench, log_writer
from tests.support.servers import Database
from tests.support.waiting import eventually


@pytest.fixture(scope="module")
async def line(provisioned_nats: NatsServer, database: Database) -> AsyncIterator[Bench]:
    """A running log-writer and the test's own connections."""
    async with (
        bench(provisioned_nats.url, database.dsn) as outside,
        log_writer(provisioned_nats.url, database.log_writer),
    ):
        yield outside


async def test_a_lone_event_is_written_at_once_and_rings(line: Bench) -> None:
    campaign, bells = new_campaign(), asyncio.Queue[bytes]()

    async def ring(message: Msg) -> None:
        await bells.put(message.data)

    bell = await line.client.subscribe(f"log.changed.{campaign}", cb=ring)
    await line.client.flush()
    waited = []
    for _ in range(5):
        begun = time.perf_counter()
        await line.publish([event("queued", campaign=campaign)])
        rung = LogChanged.model_validate_json(await asyncio.wait_for(bells.get(), 5))
        waited.append(time.perf_counter() - begun)
        assert rung.campaign_id == campaign
        revision = await line.connection.fetchval(
            "select last_revision from delivery.campaign_counters where campaign_id = $1", campaign
        )
        assert rung.revision == revision
    await bell.unsubscribe()
    # A machine that is busy may delay any of them; a writer that waits for more events delays all.
    assert min(waited) < 0.05, waited


async def test_a_row_has_the_whole_event(line: Bench) -> None:
    campaign = new_campaign()
    sent = event("sent", campaign=campaign, price={"amount": "0.10"}, triggered_by_message_id=5, entity_id="e")
    await line.publish([sent])
    await line.drained()
    (row,) = await rows_of(line.connection, campaign)
    told = sent.model_dump(exclude={"event_id", "campaign_id", "state", "occurred_at", "error", "price"})
    assert {name: row[name] for name in told} == told
    assert orjson.loads(row["price"]) == sent.price
    assert (row["state"], row["status"], row["sent_at"]) == ("sent", "sent", sent.occurred_at)


async def test_thousands_of_events_in_any_order_come_out_exact(line: Bench) -> None:
    campaign, jobs = new_campaign(), [uuid4() for _ in range(1500)]
    finals = [
        event("failed" if number % 10 == 0 else "sent", campaign=campaign, job=job) for number, job in enumerate(jobs)
    ]
    queued = [event("queued", campaign=campaign, job=job, attempt=0) for job in jobs]
    await line.publish([*finals[:700], *queued, *finals[300:]])
    await line.drained()
    await assert_counters_exact(line.connection, campaign)
    counters = await line.connection.fetchrow(
        "select sent, failed, pending from delivery.campaign_counters where campaign_id = $1", campaign
    )
    assert counters is not None
    assert tuple(counters) == (1350, 150, 0)


async def test_other_channels_have_a_log_for_each_workspace_that_no_job_id_reaches_from_outside(line: Bench) -> None:
    job = uuid4()
    await line.publish([event("sent", campaign=None, job=job)])
    await line.publish(
        [event("sent", campaign=None, job=job, channel="sms", workspace_id=workspace) for workspace in (1, 2)]
    )
    await line.drained()
    for campaign, channel in ((0, "telegram"), (-1, "sms"), (-2, "sms")):
        assert [row["channel"] for row in await rows_of(line.connection, campaign) if row["job_id"] == job] == [channel]


async def test_deferred_makes_no_row(line: Bench) -> None:
    await line.publish([event("deferred", campaign=4242)])
    await line.drained()
    assert await rows_of(line.connection, 4242) == []


@pytest.mark.parametrize("payload", [b"", b"no JSON", b"[]", b'{"state": "sent"}', b"\xff\xfe", b"[" * 5000])
async def test_garbage_is_dead_lettered_with_the_reason_and_the_rest_goes_on(line: Bench, payload: bytes) -> None:
    campaign = new_campaign()
    await line.publish([event("queued", campaign=campaign)])
    await line.publish_raw(f"delivery.event.1.telegram.sent.{campaign}", payload)
    await line.publish([event("queued", campaign=campaign)])
    await line.drained()
    assert len(await rows_of(line.connection, campaign)) == 2
    letter = await line.last_letter()
    assert letter["subject"] == f"delivery.event.1.telegram.sent.{campaign}"
    assert letter["reason"].startswith("not a delivery event: ")


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("2.telegram.sent.{}", "subject and body disagree: workspace"),
        ("1.sms.sent.0", "subject and body disagree: channel, campaign"),
        ("1.telegram.failed.{}", "subject and body disagree: state"),
        ("1.telegram.sent.4", "subject and body disagree: campaign"),
    ],
)
@pytest.mark.parametrize("more", [{}, {"price": 5}], ids=["whole", "incomplete"])
async def test_an_event_that_is_not_what_its_subject_says_makes_no_row_and_changes_none(
    line: Bench, said: str, reason: str, more: dict[str, object]
) -> None:
    campaign, job = new_campaign(), uuid4()
    await line.publish([event("queued", campaign=campaign, job=job)])
    await line.drained()
    before = await rows_of(line.connection, campaign)
    foreign = {**orjson.loads(event("sent", campaign=campaign, job=job).model_dump_json()), **more}
    await line.publish_raw(f"delivery.event.{said.format(campaign)}", _json(foreign))
    await line.drained()
    assert await rows_of(line.connection, campaign) == before
    letter = await line.last_letter()
    assert letter["subject"] == f"delivery.event.{said.format(campaign)}"
    assert more or letter["reason"] == reason


async def test_another_channel_can_not_name_a_campaign_and_the_rest_of_its_batch_is_written(line: Bench) -> None:
    campaign, job = new_campaign(), uuid4()
    foreign = event("sent", campaign=campaign, job=job, channel="sms")
    await line.publish([event("sent", campaign=campaign), foreign, event("sent", campaign=campaign)])
    await line.drained()
    assert len(await rows_of(line.connection, campaign)) == 2
    assert await line.connection.fetchval("select count(*) from delivery.messages where job_id = $1", job) == 0
    assert (await line.last_letter())["reason"] == "only messages of telegram belong to a campaign"
    assert (await line.last_letter())["subject"] == f"delivery.event.1.sms.sent.{campaign}"


@pytest.mark.parametrize(
    "wrong",
    [
        {"price": 5},
        {"attempt": "many"},
        {"body": "nul \0"},
        {"body": "half \ud83d"},
        {"occurred_at": "yesterday"},
        {"event_id": None, "account_id": 2**70},
        {"price": {"amount": "\0"}},
    ],
    ids=str,
)
async def test_an_event_whose_message_is_known_gets_its_row(line: Bench, wrong: dict[str, object]) -> None:
    campaign = new_campaign()
    job = uuid4()
    await line.publish([event("queued", campaign=campaign, job=job, attempt=0)])
    sent = {**orjson.loads(event("sent", campaign=campaign, job=job).model_dump_json()), **wrong}
    await line.publish_raw(f"delivery.event.1.telegram.sent.{campaign}", _json(sent))
    await line.drained()
    (row,) = await rows_of(line.connection, campaign)
    assert (row["status"], row["error_code"], row["destination"]) == ("sent", "LOG_INCOMPLETE", "@ann")
    assert row["body"] == "Hello"  # the event's own, or that of `queued`
    letter = await line.last_letter()
    assert letter["subject"] == f"delivery.event.1.telegram.sent.{campaign}"
    await assert_counters_exact(line.connection, campaign)


async def test_a_row_that_postgres_refuses_does_not_hold_up_its_batch(line: Bench) -> None:
    campaign, job = new_campaign(), uuid4()
    events = [event("sent", campaign=campaign) for _ in range(40)]
    events.insert(17, event("sent", campaign=campaign, job=job, price={"amount": "\0"}))  # no jsonb takes this
    await line.publish(events)
    await line.drained()
    rows = await rows_of(line.connection, campaign)
    assert len(rows) == 41
    (incomplete,) = [row for row in rows if row["error_code"] is not None]
    assert (incomplete["job_id"], incomplete["status"], incomplete["error_code"]) == (job, "sent", "LOG_INCOMPLETE")
    assert "Unicode" in (await line.last_letter())["reason"]
    await assert_counters_exact(line.connection, campaign)


async def test_it_is_ready_while_it_works(provisioned_nats: NatsServer, database: Database) -> None:
    async with log_writer(provisioned_nats.url, database.log_writer) as runtime:
        runtime.health.started = True
        await eventually(lambda: _no_problems(runtime.health.problems()))


async def _no_problems(problems: object) -> bool:
    assert await problems == {}  # type: ignore[misc]  # an awaitable of the health page
    return True


def _json(value: object) -> bytes:
    """As somebody else's encoder writes it, lone surrogates and all."""
    return json.dumps(value, ensure_ascii=True).encode()
