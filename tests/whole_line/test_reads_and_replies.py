"""What people do with messages, from Telegram to the API: the log, the counters and the people follow."""

from typing import Any
from uuid import UUID

import nats
import orjson
import pytest

from relaygram_common.contracts.ids import event_id
from tests.support.broadcast import gather_audience
from tests.support.stack import RunningStack
from tests.support.waiting import eventually

pytestmark = pytest.mark.timeout(120)

_PEOPLE = (
    {"username": "silent_person", "first_name": "Silent"},
    {"username": "quiet_reader", "first_name": "Reader", "reads_after_seconds": 0.2},
    {
        "username": "fast_writer",
        "first_name": "Writer",
        "reads_after_seconds": 0.1,
        "reply": {"text": "Tell me more", "after_seconds": 0.4},
    },
)


async def test_reads_and_replies_show_in_the_log_the_counters_and_the_people(stack: RunningStack) -> None:
    audience = await gather_audience(
        stack, people=1, messages_per_second=30, phone="+4915400000009", handle_stem="nobody"
    )
    (await stack.sandbox.post("/users", json=list(_PEOPLE))).raise_for_status()
    campaign_id = (
        await stack.api.call(
            "POST",
            "/campaigns",
            json={
                "name": "Reads",
                "mode": "broadcast",
                "body": "Hello {{handle}}",
                "telegram_account_id": audience.account_id,
            },
        )
    )["id"]
    await stack.api.import_contacts(campaign_id, "handle\n" + "".join(f"{one['username']}\n" for one in _PEOPLE))
    await stack.api.call("POST", f"/campaigns/{campaign_id}/start")

    async def followed() -> Any:
        campaign = await stack.api.call("GET", f"/campaigns/{campaign_id}")
        senders = await stack.api.call("GET", f"/campaigns/{campaign_id}/senders")
        assert (campaign["status"], campaign["sent_count"], campaign["reply_count"]) == ("completed", 3, 1)
        assert campaign["read_count"] == 2  # who replied has read
        assert {one["handle"]: one["status"] for one in senders} == {
            "@silent_person": "sent",
            "@quiet_reader": "sent",
            "@fast_writer": "replied",
        }
        rows = {one["body"]: one for one in await stack.api.log(campaign_id)}
        assert {body for body, one in rows.items() if one["read_at"]} == {"Hello @quiet_reader", "Hello @fast_writer"}
        assert {body for body, one in rows.items() if one["replied_at"]} == {"Hello @fast_writer"}
        assert [one["handle"] for one in senders if one["last_reply_at"]] == ["@fast_writer"]
        return rows

    rows = await eventually(followed)
    assert {one["status"] for one in rows.values()} == {"sent"}
    await _assert_told(stack, rows)


async def _assert_told(stack: RunningStack, rows: dict[str, dict[str, Any]]) -> None:
    """The public events, by the stream of deliveries: one for each read and each reply, with the contract's ids."""
    client = await nats.connect(stack.info["nats_url"])
    wanted = {(one["job_id"], "read") for one in rows.values() if one["read_at"]}
    wanted |= {(one["job_id"], "replied") for one in rows.values() if one["replied_at"]}
    events: set[tuple[str, str]] = set()
    for state in ("read", "replied"):
        subscription = await client.jetstream().subscribe(f"delivery.event.*.telegram.{state}.*", ordered_consumer=True)
        for _ in [one for one in wanted if one[1] == state]:
            message = await subscription.next_msg(timeout=20)
            body = orjson.loads(message.data)
            job = next(one["job_id"] for one in rows.values() if one["job_id"] == body["job_id"])
            assert message.headers is not None
            assert message.headers["ce-id"] == body["event_id"] == str(event_id(UUID(job), state, body["attempt"]))
            events.add((job, state))
        await subscription.unsubscribe()
    assert events == wanted
    await client.close()
