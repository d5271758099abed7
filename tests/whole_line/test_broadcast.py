"""The whole line, through `relaygram up`, as a user sees it."""

import asyncio
import json
from typing import Any

import nats
import pytest
import pytest_asyncio

from relaygram_local_stack.demo.audience import populate
from relaygram_local_stack.demo.people import contacts_csv
from tests.support.broadcast import Audience, gather_audience, progress, until_completed, until_sent
from tests.support.stack import RunningStack
from tests.support.waiting import eventually

pytestmark = pytest.mark.timeout(120)

PEOPLE = 300


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def audience(stack: RunningStack) -> Audience:
    return await gather_audience(
        stack, people=PEOPLE, messages_per_second=100, phone="+4915400000001", handle_stem="reader"
    )


async def test_a_contacts_file_becomes_messages_and_a_log(stack: RunningStack, audience: Audience) -> None:
    text = contacts_csv(120)
    await populate(stack.sandbox, text)
    campaign = await stack.api.call(
        "POST",
        "/campaigns",
        json={
            "name": "Mixed",
            "mode": "broadcast",
            "body": "Hi {{first_name|there}}: {{seat}}",
            "telegram_account_id": audience.account_id,
            "reference": "mixed",
            "entity_id": "seats",
        },
    )
    imported = await stack.api.import_contacts(campaign["id"], text)
    assert (imported["received"], imported["accepted"], imported["rejected"]) == (132, 120, 12)

    await stack.api.call("POST", f"/campaigns/{campaign['id']}/start")
    done = await until_completed(stack, campaign["id"])

    rows = await stack.api.log(campaign["id"])
    codes = sorted({row["error"]["code"] for row in rows if row["error"]})
    assert codes == ["USER_DEACTIVATED", "USER_PRIVACY_RESTRICTED"]
    assert len(rows) == done["total_contacts"] == done["sent_count"] + done["failed_count"] == 120
    assert {row["body"] for row in rows} >= {"Hi Bruno: S000001"}
    assert all(row["telegram_message_id"] for row in rows if row["status"] == "sent")
    assert [row["id"] for row in rows] == sorted(row["id"] for row in rows)
    await _channel_log_agrees(stack, rows)


async def _channel_log_agrees(stack: RunningStack, rows: list[dict[str, Any]]) -> None:
    """The same messages as clients of messaging providers see them."""
    query: dict[str, Any] = {"campaignReferenceId": "mixed", "useCursor": "true", "limit": 50}
    shown: list[dict[str, Any]] = []
    while True:
        answer = (await stack.client.get("/telegram/1/logs", params=query)).raise_for_status().json()
        shown += answer["results"]
        if (cursor := answer["cursor"]["nextCursor"]) is None:
            break
        query["cursor"] = cursor
    assert sorted(one["messageId"] for one in shown) == sorted(row["job_id"] for row in rows)
    of_job = {row["job_id"]: row for row in rows}
    for one in shown:
        row = of_job[one["messageId"]]
        assert one["content"] == {"text": row["body"], "type": "TEXT"}
        assert (one["status"]["groupName"], one["error"]["name"]) == {
            None: ("DELIVERED", "NO_ERROR"),
            "USER_PRIVACY_RESTRICTED": ("UNDELIVERABLE", "EC_FORBIDDEN_ACCESS"),
            "USER_DEACTIVATED": ("UNDELIVERABLE", "EC_UNKNOWN_USER"),
        }[row["error"] and row["error"]["code"]]
        assert one["sentAt"] <= one["doneAt"]
        assert one["platform"] == {"entityId": "seats", "applicationId": None}
        assert "+49" not in one["destination"]
    assert len({(one["bulkId"], one["sender"]) for one in shown}) == 1


async def test_a_pause_halts_sending_and_a_start_goes_on_where_it_was(stack: RunningStack, audience: Audience) -> None:
    campaign_id = await audience.draft("Paused")
    await stack.api.call("POST", f"/campaigns/{campaign_id}/start")
    await until_sent(stack, campaign_id, 0.2)

    paused = await stack.api.call("POST", f"/campaigns/{campaign_id}/pause")
    assert (paused["status"], paused["status_reason"]) == ("paused", "user")
    await asyncio.sleep(1.0)  # the promise is about time: nothing new goes out after one second
    wire = len(await audience.record("Paused"))
    await asyncio.sleep(1.0)
    assert len(await audience.record("Paused")) == wire < PEOPLE

    await stack.api.call("POST", f"/campaigns/{campaign_id}/start")
    await until_completed(stack, campaign_id)
    verdict = await audience.verdict(campaign_id, "Paused")
    assert verdict.is_exact, (verdict.lost, verdict.doubled)


async def test_a_stop_discards_what_is_queued_and_is_the_end(stack: RunningStack, audience: Audience) -> None:
    campaign_id = await audience.draft("Stopped")
    await stack.api.call("POST", f"/campaigns/{campaign_id}/start")
    await until_sent(stack, campaign_id, 0.1)

    stopped = await stack.api.call("POST", f"/campaigns/{campaign_id}/stop")
    assert stopped["status"] == "stopped"

    async def nothing_pending() -> Any:
        campaign = await progress(stack, campaign_id)
        return campaign if campaign and campaign["pending_count"] == 0 else None

    campaign: Any = await eventually(nothing_pending, 30, what="nothing pending")
    rows = await stack.api.log(campaign_id)
    assert {row["status"] for row in rows} == {"sent", "failed"}
    assert {row["error"]["code"] for row in rows if row["error"]} == {"STOPPED"}
    assert campaign["sent_count"] == len(await audience.record("Stopped"))
    answer = await stack.client.post(f"/api/v1/campaigns/{campaign_id}/start")
    assert answer.status_code == 409


async def test_a_subscriber_hears_of_each_message_and_of_the_campaign(stack: RunningStack, audience: Audience) -> None:
    heard: dict[str, set[str]] = {"sent": set(), "queued": set(), "campaign": set()}
    client = await nats.connect(stack.info["nats_url"])
    try:

        async def on_event(message: Any) -> None:
            body = json.loads(message.data)
            assert message.headers["ce-id"] == body["event_id"]
            if message.subject.startswith("campaign.event."):
                heard["campaign"].add(body["kind"])
            elif body["state"] in heard:
                heard[body["state"]].add(body["job_id"])

        campaign_id = await audience.draft("Heard")
        await client.subscribe(f"delivery.event.*.telegram.*.{campaign_id}", cb=on_event)
        await client.subscribe(f"campaign.event.*.*.{campaign_id}", cb=on_event)
        await client.flush()
        await stack.api.call("POST", f"/campaigns/{campaign_id}/start")
        await until_completed(stack, campaign_id)

        await eventually(lambda: heard["campaign"] == {"started", "completed"}, what="campaign events")
        assert len(heard["sent"]) == PEOPLE
        assert heard["queued"] == heard["sent"]
    finally:
        await client.close()


@pytest.mark.parametrize(
    ("subject", "stream"),
    [
        ("campaign.command.start.1.1", "CAMPAIGN_COMMANDS"),
        ("account.command.connect.1.1", "ACCOUNT_COMMANDS"),
        ("delivery.event.1.telegram.sent.1", "DELIVERY_EVENTS"),
        ("send.job.{account}.{campaign}", "SEND_JOBS"),
        ("send.job.not.anything", "SEND_JOBS"),
    ],
)
async def test_garbage_on_any_subject_becomes_a_dead_letter_and_the_line_goes_on(
    subject: str, stream: str, stack: RunningStack, audience: Audience
) -> None:
    campaign_id = await audience.draft(f"Beside garbage on {subject}")
    client = await nats.connect(stack.info["nats_url"])
    try:
        letters: list[Any] = []

        async def on_letter(message: Any) -> None:
            letters.append(json.loads(message.data))

        await client.subscribe(f"dead.letter.{stream}", cb=on_letter)
        await client.flush()
        await stack.api.call("POST", f"/campaigns/{campaign_id}/start")
        await until_sent(stack, campaign_id, 0.1)
        garbage = subject.format(account=audience.account_id, campaign=campaign_id)
        await client.jetstream().publish(garbage, b"\x00 not { anything")

        letter = await eventually(lambda: next(iter(letters), None), 60, what="a dead letter")
        assert letter["subject"] == garbage
        assert letter["reason"]
        await until_completed(stack, campaign_id)
    finally:
        await client.close()
