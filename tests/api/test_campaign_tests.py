"""Test sends: what is taken, what is queued for it, and what is told of it."""

import asyncio
import json
from typing import Any
from uuid import UUID

import pytest

from relaygram_common.contracts.delivery import DeliveryEvent
from relaygram_common.contracts.jobs import SendJob
from relaygram_common.security.sealing import Sealer
from tests.api.log_rows import row, write_log
from tests.api.support import KEY, Api
from tests.sandbox.pictures import png

FIELDS = {
    "job_id", "campaign_id", "status", "destination", "body", "error", "telegram_message_id", "sent_at", "created_at",
}  # fmt: skip


@pytest.fixture
async def draft(api: Api) -> Any:
    return await api.campaign(body="Hello {{first_name|there}}, {{seat|no seat}}", reference="spring")


async def _test(api: Api, campaign: Any, **fields: Any) -> Any:
    return await api.data("POST", f"/campaigns/{campaign['id']}/test", status=202, json=fields)


async def _row(api: Api, job_id: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        await api.sql("select row_to_json(t) from control.single_sends t where job_id = $1", UUID(job_id))
    )
    return found


async def _in_stream(api: Api, stream: str, subject: str, job_id: str) -> list[dict[str, Any]]:
    """What the relay published for this job."""
    import nats

    client = await nats.connect(api.parts.settings.nats_url)
    try:
        js = client.jetstream()
        found: list[dict[str, Any]] = []
        for _ in range(100):
            info = await js.stream_info(stream)
            for sequence in range(max(1, info.state.first_seq), info.state.last_seq + 1):
                message = await js.get_msg(stream, sequence)
                body = json.loads(message.data or b"{}")
                if message.subject == subject and body.get("job_id") == job_id:
                    found.append(body)
            if found:
                return found
            await asyncio.sleep(0.05)
        return found
    finally:
        await client.close()


async def test_a_draft_is_tested_by_handle(api: Api, draft: Any) -> None:
    made = await _test(api, draft, handle="https://t.me/Jane_Doe", first_name="Jane", columns={"seat": "12A"})
    assert set(made) == FIELDS
    assert (made["status"], made["destination"], made["body"]) == ("queued", "@jane_doe", "Hello Jane, 12A")
    assert (made["campaign_id"], made["error"], made["telegram_message_id"]) == (draft["id"], None, None)
    job = made["job_id"]
    kept = await _row(api, job)
    account = draft["telegram_account_id"]
    (sent,) = await _in_stream(api, "SEND_JOBS", f"send.job.{account}.0", job)
    send = SendJob.model_validate(sent)
    assert (send.campaign_id, send.contact_id, send.trigger) == (0, kept["id"], "test")
    (told,) = await _in_stream(api, "DELIVERY_EVENTS", f"delivery.event.{api.workspace_id}.telegram.queued.0", job)
    event = DeliveryEvent.model_validate(told)
    assert (event.campaign_id, event.trigger, event.body, event.reference) == (None, "test", made["body"], "spring")
    assert (event.sender_id, event.destination) == (kept["id"], "@jane_doe")
    assert await api.data("GET", f"/campaigns/{draft['id']}/test/{job}") == {**made, "body": None}
    counts = await api.data("GET", f"/campaigns/{draft['id']}")
    assert (counts["total_contacts"], counts["sent_count"], counts["status"]) == (0, 0, "draft")


async def test_a_phone_rests_sealed_and_is_shown_nowhere(api: Api, draft: Any) -> None:
    made = await _test(api, draft, phone="+49 151 7654321")
    assert made["destination"] is None
    assert "7654321" not in str(made)
    sealed = await api.sql("select phone_sealed from control.single_sends where job_id = $1", UUID(made["job_id"]))
    assert Sealer(KEY).open(sealed, owner="contact-phone:0") == "+491517654321"
    (told,) = await _in_stream(
        api, "DELIVERY_EVENTS", f"delivery.event.{api.workspace_id}.telegram.queued.0", made["job_id"]
    )
    assert "7654321" not in str(told)
    assert "7654321" not in str(await api.call("GET", "/audit", params={"per_page": 100}))


async def test_a_contact_is_tested_as_imported(api: Api, draft: Any) -> None:
    await api.import_csv(draft["id"], "phone,first_name,seat\n+4915111111111,Ann,3C\n")
    (sender,) = await api.data("GET", f"/campaigns/{draft['id']}/senders")
    made = await _test(api, draft, sender_id=sender["id"])
    assert made["body"] == "Hello Ann, 3C"
    kept = await _row(api, made["job_id"])
    assert kept["id"] != sender["id"]
    sealed = await api.sql("select phone_sealed from control.single_sends where job_id = $1", UUID(made["job_id"]))
    assert Sealer(KEY).open(sealed, owner="contact-phone:0") == "+4915111111111"


@pytest.mark.parametrize(("kind", "content_type"), [("photo", "image"), ("document", "document")])
async def test_its_row_says_what_goes_with_the_text(api: Api, kind: str, content_type: str) -> None:
    media = await api.data("POST", "/media", status=201, files={"file": ("a.png", png(), "")}, data={"kind": kind})
    campaign = await api.campaign(attachments=[media["id"]])
    stepped = await api.campaign()
    step = {"body": "Hello", "attachments": [media["id"]]}
    await api.call("PUT", f"/campaigns/{stepped['id']}/steps", json={"steps": [step]})
    for one in (campaign, stepped):
        job = (await _test(api, one, handle="jane_doe"))["job_id"]
        (told,) = await _in_stream(api, "DELIVERY_EVENTS", f"delivery.event.{api.workspace_id}.telegram.queued.0", job)
        assert told["content_type"] == content_type


async def test_the_same_request_is_one_message(api: Api, draft: Any) -> None:
    path = f"/api/v1/campaigns/{draft['id']}/test"

    async def ask(handle: str, **headers: str) -> str:
        answer = await api.client.post(path, json={"handle": handle}, headers=headers)
        assert answer.status_code == 202, answer.text
        job: str = answer.json()["data"]["job_id"]
        return job

    by_id = await asyncio.gather(*(ask("ann_lee", **{"X-Request-Id": "r-1"}) for _ in range(5)))
    assert len(set(by_id)) == 1
    assert len(await _in_stream(api, "SEND_JOBS", f"send.job.{draft['telegram_account_id']}.0", by_id[0])) == 1
    assert await ask("bob_lee", **{"X-Request-Id": "r-1"}) != by_id[0]
    by_key = [await ask("ann_lee", **{"Idempotency-Key": "k-1"}) for _ in range(2)]
    assert by_key[0] == by_key[1] != by_id[0]
    assert await ask("ann_lee") != await ask("ann_lee")


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({}, "sender_id"),
        ({"first_name": "Jane"}, "sender_id"),
        ({"sender_id": 1, "handle": "jane_doe"}, "handle"),
        ({"sender_id": 2**60}, "sender_id"),
        ({"sender_id": "1"}, "sender_id"),
        ({"handle": "x"}, "handle"),
        ({"handle": 5}, "handle"),
        ({"phone": "12345"}, "phone"),
        ({"telegram_user_id": 0}, "telegram_user_id"),
        ({"telegram_user_id": True}, "telegram_user_id"),
        ({"handle": "jane_doe", "first_name": "x" * 256}, "first_name"),
        ({"handle": "jane_doe", "columns": {"seat": 5}}, "columns.seat"),
        ({"handle": "jane_doe", "columns": {str(n): "" for n in range(101)}}, "columns"),
        ({"handle": "jane_doe", "seat": "12A"}, "seat"),
    ],
)
async def test_whom_nobody_can_write_to_is_422(api: Api, draft: Any, fields: dict[str, Any], wrong: str) -> None:
    assert list(await api.errors("POST", f"/campaigns/{draft['id']}/test", json=fields)) == [wrong]


async def test_a_text_that_is_empty_for_this_person_is_422(api: Api) -> None:
    campaign = await api.campaign(body="{{first_name}}")
    assert list(await api.errors("POST", f"/campaigns/{campaign['id']}/test", json={"handle": "jane_doe"})) == ["body"]


@pytest.mark.parametrize("status", ["new", "code_required", "disabled", "backing_off"])
async def test_without_an_active_account_there_is_no_test(api: Api, status: str) -> None:
    account = await api.account(status="active" if status == "backing_off" else status)
    if status == "backing_off":
        await api.account_becomes(account, "backing_off")
    campaign = await api.campaign(account)
    refused = await api.call("POST", f"/campaigns/{campaign['id']}/test", status=409, json={"handle": "jane_doe"})
    assert refused["code"] == "account_not_active"
    assert status in refused["message"]


async def test_any_campaign_that_is_not_deleted_can_be_tested(api: Api) -> None:
    campaign = await api.broadcast()
    path = f"/campaigns/{campaign['id']}"
    for action in ("start", "pause", "stop"):
        await api.call("POST", f"{path}/{action}")
        await _test(api, campaign, handle="jane_doe")
    made = await _test(api, campaign, telegram_user_id=777)
    assert made["destination"] == "777"
    await api.call("DELETE", path, status=204)
    await api.call("POST", f"{path}/test", status=404, json={"handle": "jane_doe"})
    await api.call("POST", f"{path}/test", status=404, json={})
    assert (await api.data("GET", f"{path}/test/{made['job_id']}"))["status"] == "queued"


async def test_what_became_of_it_is_told_from_the_ledger_and_the_log(api: Api, draft: Any) -> None:
    made = await _test(api, draft, handle="jane_doe")
    path = f"/campaigns/{draft['id']}/test/{made['job_id']}"
    await api.sql(
        "insert into telegram.sends (job_id, workspace_id, campaign_id, account_id, contact_id, step, state, attempt,"
        " term, body, first_at, last_at) values ($1, $2, 0, $3, 1, 0, 'sending', 1, 1, 'Hi', now(), now())",
        UUID(made["job_id"]), api.workspace_id, draft["telegram_account_id"],
    )  # fmt: skip
    assert (await api.data("GET", path))["status"] == "sending"
    await api.sql(
        "update telegram.sends set state = 'refused', decided_at = now(), code = 'USER_BLOCKED', message = 'Blocked.'"
        " where job_id = $1", UUID(made["job_id"]),
    )  # fmt: skip
    found = await api.data("GET", path)
    assert (found["status"], found["error"]) == ("failed", {"code": "USER_BLOCKED", "message": "Blocked."})
    one = {**row(0, "sent", telegram_message_id=5), "job_id": UUID(made["job_id"]), "campaign_id": 0}
    await write_log(api, [one])
    found = await api.data("GET", path)
    assert (found["status"], found["error"], found["telegram_message_id"]) == ("sent", None, "5")


async def test_a_test_of_another_campaign_or_of_none_is_404(api: Api, draft: Any) -> None:
    made = await _test(api, draft, handle="jane_doe")
    other = await api.campaign()
    await api.call("GET", f"/campaigns/{other['id']}/test/{made['job_id']}", status=404)
    await api.call("GET", f"/campaigns/{draft['id']}/test/00000000-0000-5000-8000-000000000000", status=404)
    await api.call("GET", f"/campaigns/{draft['id']}/test/1", status=404)
