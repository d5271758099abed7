"""POST /delivery-events: what is taken, what is rejected and why, and that each event is passed on once."""

import asyncio
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4, uuid5

import nats
import orjson
import pytest
from nats.aio.client import Client

from relaygram_api.adapters import pg_delivery_events
from relaygram_common.contracts.delivery import DeliveryEvent
from relaygram_common.topology import DELIVERY_EVENTS
from relaygram_local_stack.servers import NatsServer
from tests.api.other_channels import PATH, given, post, whole
from tests.api.support import Api, running_api
from tests.support.servers import Database
from tests.support.waiting import eventually

NOTHING = {"accepted": 0, "duplicates": 0, "rejected": []}


@pytest.fixture(scope="module")
async def client(provisioned_nats: NatsServer) -> AsyncIterator[Client]:
    connection = await nats.connect(provisioned_nats.url)
    yield connection
    await connection.close()


async def published(client: Client, subject: str, number: int = 1) -> list[Any]:
    """The messages of a subject, once there are so many."""
    subscription = await client.jetstream().subscribe(subject, ordered_consumer=True)
    messages = [await subscription.next_msg(timeout=30) for _ in range(number)]
    await subscription.unsubscribe()
    return messages


async def test_an_event_is_taken_and_published_as_ours_are(api: Api, client: Client) -> None:
    event = whole("delivered")
    assert await post(api, event) == {"accepted": 1, "duplicates": 0, "rejected": []}
    (message,) = await published(client, f"delivery.event.{api.workspace_id}.sms.delivered.0")
    body = orjson.loads(message.data)
    parsed = DeliveryEvent.model_validate(body)
    assert parsed.subject == message.subject
    expected = uuid5(UUID(event["job_id"]), "delivered/1")
    assert parsed.event_id == expected
    assert message.headers == {
        "ce-specversion": "1.0",
        "ce-id": str(expected),
        "ce-type": "com.relaygram.delivery.delivered.v1",
        "ce-source": f"/workspaces/{api.workspace_id}",
        "ce-time": event["occurred_at"].replace("+00:00", "Z"),
        "content-type": "application/json",
        "Nats-Msg-Id": f"{api.workspace_id}.{expected}",
    }
    times = ("occurred_at", "queued_at")
    told = {name: value for name, value in event.items() if name not in times}
    assert told == {name: body[name] for name in told}
    assert all(datetime.fromisoformat(event[name]) == datetime.fromisoformat(body[name]) for name in times)


async def test_a_bad_event_does_not_cost_the_good_ones(api: Api) -> None:
    answer = await api.call("POST", PATH, status=202, json={"events": [given(), 7, given(state="lost"), given()]})
    assert answer["meta"] == {}
    assert (answer["data"]["accepted"], answer["data"]["duplicates"]) == (2, 0)
    first, second = answer["data"]["rejected"]
    assert first == {"index": 1, "reason": "must be a JSON object"}
    assert second["index"] == 2
    assert second["reason"].startswith("state: should be 'queued', 'sending'")


FUTURE = (datetime.now(UTC) + timedelta(days=3)).isoformat()
WRONG: list[tuple[dict[str, Any], str]] = [
    ({"job_id": None}, "job_id: UUID"),
    ({"job_id": "x"}, "job_id: should be a valid UUID"),
    ({"job_id": 7}, "job_id"),
    ({"state": None}, "state"),
    ({"attempt": -1}, "attempt: should be greater than or equal to 0"),
    ({"attempt": 2**31}, "attempt"),
    ({"attempt": True}, "attempt: should be a valid integer"),
    ({"attempt": "1"}, "attempt"),
    ({"occurred_at": None}, "occurred_at"),
    ({"occurred_at": "2026-04-21T16:02:45"}, "occurred_at: should be a time in ISO 8601 with its offset"),
    ({"occurred_at": 1776787365}, "occurred_at"),
    ({"occurred_at": "yesterday"}, "occurred_at"),
    ({"occurred_at": FUTURE}, "occurred_at: should be between the year 2000 and tomorrow"),
    ({"occurred_at": "0001-01-01T00:00:00+14:00"}, "occurred_at"),
    ({"occurred_at": "9999-12-31T23:59:59-14:00"}, "occurred_at"),
    ({"queued_at": "2026-04-21"}, "queued_at"),
    ({"queued_at": "1970-01-01T00:00:00Z"}, "queued_at: should be between the year 2000 and tomorrow"),
    ({"channel": None}, "channel"),
    ({"channel": "telegram"}, "channel: should be another channel"),
    ({"channel": "SMS"}, "channel"),
    ({"channel": "sms.>"}, "channel"),
    ({"channel": "sms\n"}, "channel"),
    ({"channel": "s" * 32}, "channel"),
    ({"channel": ""}, "channel"),
    ({"campaign_id": 7}, "campaign_id: should be null: campaigns are Relaygram's own"),
    ({"campaign_id": 0}, "campaign_id"),
    ({"workspace_id": 999_999}, "workspace_id: should be the workspace of the token"),
    ({"workspace_id": "1"}, "workspace_id"),
    ({"event_id": str(uuid4())}, "event_id: should be "),
    ({"event_id": "x"}, "event_id"),
    ({"account_id": 0}, "account_id"),
    ({"sender_id": 2**63}, "sender_id"),
    ({"run_id": 1.5}, "run_id"),
    ({"step": -1}, "step"),
    ({"trigger": "whim"}, "trigger"),
    ({"body": "x" * 65_537}, "body: should have at most 65536 characters"),
    ({"body": 7}, "body"),
    ({"body": "a\0b"}, "body: must not contain the character NUL"),
    *[({name: "x" * 256}, f"{name}: should have at most 255 characters") for name in
      ("sender", "destination", "reference", "entity_id", "application_id")],
    ({"destination": "\0"}, "destination: must not contain the character NUL"),
    ({"content_type": "x" * 101}, "content_type"),
    ({"telegram_message_id": "77"}, "telegram_message_id"),
    ({"telegram_message_id": 2**64}, "telegram_message_id"),
    ({"error": "E1"}, "error: must be a JSON object"),
    ({"error": {"code": ""}}, "error.code: should have at least 1 character; error.message: is required"),
    ({"error": {"code": "E\0", "message": "x"}}, "error.code: must not contain the character NUL"),
    ({"error": {"code": "E1", "message": "x" * 2001}}, "error.message"),
    ({"error": {"code": "E1", "message": "x", "permanent": 1}}, "error.permanent"),
    ({"price": 0.07}, "price: must be a JSON object"),
    ({"price": {"pricePerMessage": 0.07}}, "price.currency: is required"),
    ({"price": {"pricePerMessage": "0.07", "currency": "EUR"}}, "price.pricePerMessage"),
    ({"price": {"pricePerMessage": -1, "currency": "EUR"}}, "price.pricePerMessage"),
    ({"price": {"pricePerMessage": 1e10, "currency": "EUR"}}, "price.pricePerMessage"),
    ({"price": {"pricePerMessage": 1, "currency": "euro"}}, "price.currency"),
    ({"price": {"pricePerMessage": 1, "currency": "EUR", "tax": {}}}, "price.tax: is not a known field"),
    ({"recipient_id": 5}, "recipient_id: is not a known field"),
    ({"destinaton": "+49"}, "destinaton: is not a known field"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "reason"), WRONG, ids=[f"{next(iter(fields))} {place}" for place, (fields, _) in enumerate(WRONG)]
)
async def test_what_is_wrong_is_said(api: Api, fields: dict[str, Any], reason: str) -> None:
    done = await post(api, given(**fields))
    assert done["accepted"] == done["duplicates"] == 0
    (rejected,) = done["rejected"]
    assert rejected["index"] == 0
    assert reason in rejected["reason"], rejected


@pytest.mark.parametrize("name", ["job_id", "channel", "state", "attempt", "occurred_at"])
async def test_what_is_missing_is_said(api: Api, name: str) -> None:
    event = given()
    del event[name]
    assert (await post(api, event))["rejected"] == [{"index": 0, "reason": f"{name}: is required"}]


async def test_reasons_are_bounded(api: Api) -> None:
    event = {**given(), **{f"unknown_{'x' * 500}{number}": 1 for number in range(100)}}
    done = await post(api, event)
    assert len(done["rejected"][0]["reason"]) <= 500


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "events"),
        ({"events": None}, "events"),
        ({"events": {}}, "events"),
        ({"events": []}, "events"),
        ({"events": [given()] * 1001}, "events"),
        ({"events": [given()], "workspace": 1}, "workspace"),
        ([given()], "body"),
        ("x", "body"),
    ],
    ids=["nothing", "null", "object", "none", "too many", "unknown field", "bare list", "text"],
)
async def test_a_body_of_another_form_is_422_and_takes_nothing(api: Api, body: Any, field: str) -> None:
    assert list(await api.errors("POST", PATH, json=body)) == [field]


async def test_a_thousand_events_at_once(api: Api, client: Client) -> None:
    events = [given(channel="many", body="Ä" * 100) for _ in range(1000)]
    assert (await post(api, *events))["accepted"] == 1000
    messages = await published(client, f"delivery.event.{api.workspace_id}.many.>", 1000)
    assert {orjson.loads(one.data)["job_id"] for one in messages} == {event["job_id"] for event in events}


async def test_the_same_event_is_taken_once(api: Api, client: Client) -> None:
    event = given(channel="twice")
    other_attempt, other_state = {**event, "attempt": 2}, {**event, "state": "failed"}
    done = await post(api, event, {**event, "body": "another text"}, other_attempt, {**event, "state": "lost"})
    assert (done["accepted"], done["duplicates"], len(done["rejected"])) == (2, 1, 1)
    assert await post(api, event, other_state, other_attempt) == {**NOTHING, "accepted": 1, "duplicates": 2}
    assert await post(api, event) == {**NOTHING, "duplicates": 1}
    messages = await published(client, f"delivery.event.{api.workspace_id}.twice.>", 3)
    assert [orjson.loads(one.data)["body"] for one in messages] == [None, None, None]


async def test_an_event_may_say_its_own_id_and_workspace(api: Api) -> None:
    event = given("read", attempt=3)
    right = uuid5(UUID(event["job_id"]), "read/3")
    wrong = await post(api, {**event, "event_id": str(uuid4())})
    assert str(right) in wrong["rejected"][0]["reason"]
    said = {**event, "event_id": str(right), "workspace_id": api.workspace_id}
    assert await post(api, said) == {**NOTHING, "accepted": 1}
    assert await post(api, event) == {**NOTHING, "duplicates": 1}


async def test_many_at_once_with_the_same_events_take_each_once(api: Api) -> None:
    events = [given() for _ in range(200)]
    done = await asyncio.gather(*(post(api, *random.sample(events, 200)) for _ in range(8)))
    assert sum(one["accepted"] for one in done) == 200
    assert all(one["accepted"] + one["duplicates"] == 200 for one in done)


async def test_an_idempotency_key_repeats_the_answer(api: Api) -> None:
    key, event = {"Idempotency-Key": str(uuid4())}, given()
    first = await post(api, event, headers=key)
    assert first["accepted"] == 1
    assert await post(api, event, headers=key) == first
    errors = await api.errors("POST", PATH, json={"events": [given()]}, headers=key)
    assert list(errors) == ["Idempotency-Key"]
    # NUL in one event is found by the handler, also in a request that is kept.
    key = {"Idempotency-Key": str(uuid4())}
    assert len((await post(api, given(body="\0"), given(), headers=key))["rejected"]) == 1


async def test_other_workspaces_take_their_own_events_of_the_same_job(
    api: Api, database: Database, provisioned_nats: NatsServer, client: Client
) -> None:
    event = given(channel="shared")
    async with running_api(database, provisioned_nats.url, email="other@example.com", workspace="other") as other:
        assert (await post(api, event))["accepted"] == (await post(other, event))["accepted"] == 1
        for one in (api, other):
            # The stream would drop the second as a double of the first if both had the same message id.
            (message,) = await published(client, f"delivery.event.{one.workspace_id}.shared.>")
            assert message.headers["ce-source"] == f"/workspaces/{one.workspace_id}"


async def test_without_nats_events_wait_in_the_outbox(database: Database, provisioned_nats: NatsServer) -> None:
    async with running_api(database, "nats://127.0.0.1:1", email="away@example.com", workspace="away") as away:
        assert (await post(away, given("queued"), given("sent")))["accepted"] == 2
        waiting = "select array_agg(subject order by subject) from control.outbox where workspace_id = $1"
        subjects = [f"delivery.event.{away.workspace_id}.sms.{state}.0" for state in ("queued", "sent")]

        # The other api of this module relays them: any does.
        async def relayed() -> bool:
            return await away.sql(waiting, away.workspace_id) is None

        connection = await nats.connect(provisioned_nats.url)
        messages = [(await published(connection, subject))[0] for subject in subjects]
        assert [message.subject for message in messages] == subjects
        await connection.close()
        await eventually(relayed)


async def test_what_waits_for_nats_is_bounded(database: Database, fresh_database: Any) -> None:
    async with running_api(fresh_database(), "nats://127.0.0.1:1", email="full@example.com") as full:
        assert (await post(full, given()))["accepted"] == 1
        await full.sql(
            "insert into control.outbox (id, workspace_id, kind, subject, body) overriding system value"
            " select max(id) + 1000000, 1, 'stream', 'x', '{}' from control.outbox"
        )
        answer = await full.client.post(f"/api/v1{PATH}", json={"events": [given()]})
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        assert answer.headers["Retry-After"]
        assert await full.sql("select count(*) from control.taken_events") == 1


async def test_what_was_taken_two_weeks_ago_is_forgotten(api: Api) -> None:
    event = given()
    await post(api, event, given())
    age = "update control.taken_events set taken_at = taken_at - interval '14 days 1 second' where event_id = $1"
    await api.sql(age, uuid5(UUID(event["job_id"]), "sent/1"))
    assert await post(api, event) == {**NOTHING, "duplicates": 1}
    assert await pg_delivery_events.prune(api.parts.database, 10) == 1
    assert await pg_delivery_events.prune(api.parts.database, 10) == 0
    assert await post(api, event) == {**NOTHING, "accepted": 1}


async def test_the_stream_keeps_events_as_long_as_they_are_remembered(client: Client) -> None:
    config = (await client.jetstream().stream_info(DELIVERY_EVENTS)).config
    assert config.max_age == timedelta(days=14).total_seconds()
