"""What bridges tell over HTTP becomes rows of the log: through the real relay, the real stream, the real log-writer."""

import asyncio
import itertools
import json
import os
import re
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from relaygram_common.contracts.delivery import MAX_ID
from relaygram_local_stack.servers import NatsServer
from tests.api.other_channels import given, post, whole
from tests.api.support import Api, running_api
from tests.log_writer.running import Bench, bench, log_writer
from tests.support.servers import Database
from tests.support.waiting import eventually

PAGE = Path(__file__).parents[2] / "docs" / "logs.md"


@pytest.fixture(scope="module")
async def outside(api: Api, database: Database, provisioned_nats: NatsServer) -> AsyncIterator[Bench]:
    """A log-writer at work beside the api, and a look at what it writes."""
    async with (
        log_writer(provisioned_nats.url, database.log_writer),
        bench(provisioned_nats.url, database.dsn) as around,
    ):
        yield around


async def written(api: Api, outside: Bench, *events: dict[str, Any]) -> None:
    """Post these, and wait until the log has taken them in."""
    done = await post(api, *events)
    assert done == {"accepted": len(events), "duplicates": 0, "rejected": []}

    async def relayed() -> bool:
        return not await outside.connection.fetchval("select count(*) from control.outbox")

    await eventually(relayed)
    await outside.drained()


async def row_of(api: Api, outside: Bench, job_id: str) -> asyncpg.Record:
    """The message's row, in the place of its workspace."""
    row = await outside.connection.fetchrow(
        "select * from delivery.messages where campaign_id = $1 and job_id = $2", -api.workspace_id, UUID(job_id)
    )
    assert row is not None
    return row


async def test_an_event_becomes_a_row_with_all_it_told(api: Api, outside: Bench) -> None:
    event = whole("delivered", channel="messenger")
    await written(api, outside, event)
    row = await row_of(api, outside, event["job_id"])
    elsewhere = {"campaign_id", "job_id", "occurred_at", "queued_at", "error", "price"}
    as_told = event.keys() - elsewhere
    assert {name: row[name] for name in as_told} == {name: event[name] for name in as_told}
    assert row["workspace_id"] == api.workspace_id
    assert row["status"] == "sent"
    assert row["queued_at"] == datetime(2026, 4, 21, 14, 2, 42, 801_000, tzinfo=UTC)
    assert await api.sql("select price ->> 'pricePerMessage' from delivery.messages where id = $1", row["id"]) == "0.07"


async def test_the_furthest_state_stays_in_any_order(api: Api, outside: Bench) -> None:
    states = ("queued", "failed", "delivered")
    error = {"code": "E42", "message": "The operator refused it.", "permanent": False}
    for order in itertools.permutations(states):
        first = given(order[0], destination="@ann")
        told = [{**first, "state": state, "error": error if state == "failed" else None} for state in order]
        for event in told:
            await written(api, outside, event)
        row = await row_of(api, outside, first["job_id"])
        assert (row["state"], row["status"], row["error_code"], row["destination"]) == (
            "delivered", "sent", None, "@ann",
        ), order  # fmt: skip
    failed = given("failed", error=error)
    await written(api, outside, failed, {**failed, "state": "retrying", "error": None})
    row = await row_of(api, outside, failed["job_id"])
    assert (row["status"], row["error_code"], row["error_message"], row["error_permanent"]) == (
        "failed", "E42", "The operator refused it.", False,
    )  # fmt: skip


async def test_two_workspaces_with_the_same_job_do_not_meet(
    api: Api, outside: Bench, database: Database, provisioned_nats: NatsServer
) -> None:
    ours = given("sent", body="ours", channel="messenger")
    theirs = {**ours, "body": "theirs"}
    async with running_api(database, provisioned_nats.url, email="b@example.com", workspace="second") as other:
        await written(other, outside, theirs)
        await written(api, outside, ours, {**ours, "state": "read"})
        mine, their = await row_of(api, outside, ours["job_id"]), await row_of(other, outside, ours["job_id"])
    assert (mine["body"], mine["state"], mine["workspace_id"]) == ("ours", "read", api.workspace_id)
    assert (their["body"], their["state"], their["workspace_id"]) == ("theirs", "sent", other.workspace_id)


async def test_a_job_of_a_campaign_is_not_reached(api: Api, outside: Bench) -> None:
    """Whoever knows the job id of a campaign's message changes nothing of it."""
    ours = given("sent", channel="sms")
    await outside.connection.execute(
        "insert into delivery.messages (campaign_id, job_id, id, position, revision, created_at, workspace_id, channel,"
        " state, rank, attempt, queued_at)"
        " values (7, $1, 900000, 1, 900000, now(), $2, 'telegram', 'queued', 0, 0, now())",
        UUID(ours["job_id"]),
        api.workspace_id,
    )
    await written(api, outside, ours)
    states = "select array_agg(state order by campaign_id) from delivery.messages where job_id = $1"
    assert await outside.connection.fetchval(states, UUID(ours["job_id"])) == ["sent", "queued"]


# The furthest that is let in: PostgreSQL and the log-writer take all of it as it is.
EXTREMES: list[dict[str, Any]] = [
    {"body": "\U0001f600" * 65_536},
    {"body": "\x01" * 65_536},
    {"body": ""},
    {name: "\U0001f600" * 255 for name in ("sender", "destination", "reference", "entity_id", "application_id")},
    {"content_type": "ä" * 100, "channel": "a" + "-" * 30},
    {"error": {"code": "ä" * 100, "message": "\u2028" * 2000, "permanent": True}, "state": "failed"},
    {"occurred_at": "2000-01-01T00:00:00+00:00", "queued_at": "2000-01-01T12:00:00+12:00"},
    {"occurred_at": (datetime.now(UTC) + timedelta(hours=23)).isoformat()},
    {"attempt": 2**31 - 1, "step": 2**31 - 1, "run_id": MAX_ID, "account_id": MAX_ID, "sender_id": MAX_ID},
    {"telegram_message_id": -MAX_ID, "triggered_by_message_id": MAX_ID, "state": "replied"},
    {"price": {"pricePerMessage": 5e-324, "currency": "CHF"}, "state": "sent"},
    {"price": {"pricePerMessage": 1_000_000_000, "currency": "CHF"}, "state": "queued"},
    {"state": "deferred"},
]


async def test_nothing_that_is_taken_is_refused_later(api: Api, outside: Bench) -> None:
    events = [given(**{"channel": "extreme", **fields}) for fields in EXTREMES]
    for event in events:
        await written(api, outside, event)
    rows = await outside.connection.fetch("select body, error_code from delivery.messages where channel = 'extreme'")
    assert len(rows) == len(events) - 2  # one has a channel of its own; `deferred` changes no state
    assert {row["error_code"] for row in rows} == {None, "ä" * 100}
    assert {len(row["body"] or "") for row in rows} == {0, 65_536}
    assert (await outside.client.jetstream().stream_info("DEAD_LETTERS")).state.messages == 0


async def test_the_log_of_its_channel_shows_it(api: Api, outside: Bench) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    told = whole("delivered", channel="viber", queued_at=now.isoformat(), occurred_at=now.isoformat())
    await written(
        api, outside, told, given("queued", channel="viber", queued_at=(now - timedelta(hours=49)).isoformat())
    )
    answer = await api.client.get("/viber/1/logs")
    assert answer.status_code == 200, answer.text
    (shown,) = answer.json()["results"]
    when = now.strftime("%Y-%m-%dT%H:%M:%S.000+0000")
    assert shown == {
        **shown, "sender": "ACME", "destination": "+4915112345678", "bulkId": "9", "messageId": told["job_id"],
        "sentAt": when, "doneAt": when, "price": {"pricePerMessage": 0.07, "currency": "EUR"},
        "platform": {"entityId": "shop", "applicationId": "app"},
        "content": {"text": "Your parcel arrives today.", "type": "TEXT"},
    }  # fmt: skip
    assert shown["status"]["groupName"] == "DELIVERED"
    assert (await api.client.get("/viber/1/logs", params={"campaignReferenceId": "parcels"})).json() == answer.json()
    assert (await api.client.get("/messenger/1/logs", params={"messageId": told["job_id"]})).json()["results"] == []


async def test_the_pages_program_publishes_by_itself(api: Api, outside: Bench, provisioned_nats: NatsServer) -> None:
    """docs/logs.md, "On NATS", run as it stands."""
    section = PAGE.read_text(encoding="utf-8").partition("\n### On NATS\n")[2].partition("\n## ")[0]
    (program,) = re.findall(r"^```python\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    env = {**os.environ, "NATS_URL": provisioned_nats.url, "WORKSPACE": str(api.workspace_id)}
    for _ in range(2):
        running = await asyncio.create_subprocess_exec(sys.executable, "-c", program, env=env)
        assert await asyncio.wait_for(running.wait(), 60) == 0
    await outside.drained()
    job = "7b1c3c52-64f5-4f0a-8a35-0c8c0a3a5d11"
    row = await row_of(api, outside, job)
    assert (row["channel"], row["state"], row["destination"]) == ("sms", "delivered", "+4915112345678")
    assert row["sent_at"] == datetime(2026, 4, 21, 16, 2, 45, 120_000, tzinfo=UTC)
    # The same event by the other way changes nothing.
    await written(api, outside, given("delivered", job_id=job, occurred_at=row["sent_at"].isoformat()))
    assert (await row_of(api, outside, job))["revision"] == row["revision"]


async def test_who_is_erased_by_phone_leaves_the_rows_of_other_channels(api: Api, outside: Bench) -> None:
    kept = [whole(channel="erased", destination=to) for to in ("@ann_one", "+4915112345699")]
    gone = [whole(channel="erased", destination=to) for to in ("+4915112345688", "4915112345688", "004915112345688")]
    await written(api, outside, *kept, *gone)
    done = await api.data("POST", "/people/erase", json={"phone": "+49 151 12345688", "handle": "@ann_one"})
    assert done["messages"] == 3
    # What is told of them later is not kept either.
    await written(api, outside, *({**event, "state": "read"} for event in gone))
    rows = [await row_of(api, outside, event["job_id"]) for event in gone]
    assert {(row["state"], row["destination"], row["body"]) for row in rows} == {("read", None, None)}
    rows = [await row_of(api, outside, event["job_id"]) for event in kept]
    assert [row["destination"] for row in rows] == ["@ann_one", "+4915112345699"]


async def test_a_bridge_that_publishes_too_long_an_address_holds_up_nobody(api: Api, outside: Bench) -> None:
    job, good = uuid4(), uuid4()
    subject = f"delivery.event.{api.workspace_id}.sms.sent.0"
    for one, destination in ((job, "".join(map(chr, range(300, 9000)))), (good, "+4915112345600")):
        event = given(job_id=str(one), event_id=str(one), campaign_id=None, workspace_id=api.workspace_id)
        body = json.dumps({**event, "destination": destination})
        await outside.client.jetstream().publish(subject, body.encode())
    await outside.drained()
    long, short = await row_of(api, outside, str(job)), await row_of(api, outside, str(good))
    assert (long["destination"], long["error_code"]) == (None, "LOG_INCOMPLETE")
    assert (short["destination"], short["error_code"]) == ("+4915112345600", None)


async def test_the_campaign_api_shows_campaigns_only(api: Api, outside: Bench) -> None:
    await written(api, outside, given("sent"))
    assert {row["campaign_id"] for row in await api.data("GET", "/logs")} <= {7}
