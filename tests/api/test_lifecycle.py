"""Start, pause, stop: every state and action, and what follows from them."""

import asyncio
import json
from typing import Any

import nats
import pytest
from nats.js.errors import KeyNotFoundError

from relaygram_common.topology import CAMPAIGN_STATE
from relaygram_local_stack.servers import NatsServer
from tests.api.support import Api
from tests.support.waiting import eventually

# (state, action) → status of the answer and state after it; what is missing is 409 and changes nothing.
ALLOWED = {
    ("draft", "start"): "running", ("running", "start"): "running", ("paused", "start"): "running",
    ("running", "pause"): "paused", ("paused", "pause"): "paused",
    ("draft", "stop"): "stopped", ("running", "stop"): "stopped", ("paused", "stop"): "stopped",
    ("stopped", "stop"): "stopped",
}  # fmt: skip


async def campaign_in(api: Api, state: str) -> int:
    campaign = await api.broadcast(contacts=1)
    path: str = f"/campaigns/{campaign['id']}"
    for action in {"draft": [], "running": ["start"], "paused": ["start", "pause"], "stopped": ["stop"]}.get(
        state, ["start"]
    ):
        await api.call("POST", f"{path}/{action}")
    if state == "completed":
        await api.sql(
            "select outcome from control.transition($1, $2, 'complete', 'dispatcher')",
            api.workspace_id,
            campaign["id"],
            role="relaygram_dispatcher",
        )
    campaign_id: int = campaign["id"]
    return campaign_id


@pytest.mark.parametrize("action", ["start", "pause", "stop"])
@pytest.mark.parametrize("state", ["draft", "running", "paused", "completed", "stopped"])
async def test_every_state_and_action(api: Api, state: str, action: str) -> None:
    campaign_id = await campaign_in(api, state)
    after = ALLOWED.get((state, action))
    answer = await api.call("POST", f"/campaigns/{campaign_id}/{action}", status=200 if after else 409)
    if after is None:
        assert state in answer["message"]
        assert answer["code"] == "transition_refused"
    else:
        assert answer["data"]["status"] == after
    assert (await api.data("GET", f"/campaigns/{campaign_id}"))["status"] == (after or state)


async def test_ten_starts_at_once_are_as_good_as_one(api: Api) -> None:
    campaign_id = await campaign_in(api, "draft")
    found = await asyncio.gather(*(api.data("POST", f"/campaigns/{campaign_id}/start") for _ in range(10)))
    assert {one["status"] for one in found} == {"running"}
    assert len({one["started_at"] for one in found}) == 1
    version = await api.sql("select version from control.campaigns where id = $1", campaign_id)
    assert version == 3  # made, contacts, started


async def test_a_broadcast_without_contacts_is_422_no_contacts(api: Api) -> None:
    campaign = await api.campaign()
    refused = await api.call("POST", f"/campaigns/{campaign['id']}/start", status=422)
    assert refused["code"] == "no_contacts"


async def test_an_auto_reply_starts_without_contacts(api: Api) -> None:
    campaign = await api.campaign(mode="auto_reply", trigger_keyword="hi")
    assert (await api.data("POST", f"/campaigns/{campaign['id']}/start"))["status"] == "running"


async def test_starting_during_an_import_is_409(api: Api) -> None:
    campaign = await api.broadcast()
    import_id = await api.sql(
        "insert into control.imports (workspace_id, campaign_id, format, lease_until)"
        " values ($1, $2, 'csv', now() + interval '1 h') returning id",
        api.workspace_id,
        campaign["id"],
    )
    refused = await api.call("POST", f"/campaigns/{campaign['id']}/start", status=409)
    assert refused["code"] == "import_running"
    await api.sql("update control.imports set status = 'failed', finished_at = now() where id = $1", import_id)
    await api.call("POST", f"/campaigns/{campaign['id']}/start")


async def test_with_an_account_that_is_down_it_waits_and_goes_on_by_itself(api: Api) -> None:
    account_id = await api.account(status="code_required")
    campaign = await api.campaign(account_id)
    await api.import_csv(campaign["id"], "handle\nsomebody\n")
    started = await api.data("POST", f"/campaigns/{campaign['id']}/start")
    assert (started["status"], started["status_reason"]) == ("paused", "account_down")
    await api.account_becomes(account_id, "active")
    found = await api.data("GET", f"/campaigns/{campaign['id']}")
    assert (found["status"], found["status_reason"]) == ("running", None)


async def test_pausing_a_paused_campaign_makes_it_the_users_pause(api: Api) -> None:
    account_id = await api.account(status="code_required")
    campaign = await api.campaign(account_id)
    await api.import_csv(campaign["id"], "handle\nsomebody\n")
    await api.call("POST", f"/campaigns/{campaign['id']}/start")
    paused = await api.data("POST", f"/campaigns/{campaign['id']}/pause")
    assert (paused["status"], paused["status_reason"]) == ("paused", "user")
    await api.account_becomes(account_id, "active")
    assert (await api.data("GET", f"/campaigns/{campaign['id']}"))["status"] == "paused"


async def test_starting_clears_a_schedule_in_the_future(api: Api) -> None:
    campaign = await api.broadcast()
    path = f"/campaigns/{campaign['id']}"
    scheduled = await api.data("PUT", path, json={"scheduled_at": "2999-01-01T00:00:00Z"})
    assert (scheduled["status"], scheduled["scheduled_at"]) == ("draft", "2999-01-01T00:00:00Z")
    started = await api.data("POST", f"{path}/start")
    assert (started["status"], started["scheduled_at"]) == ("running", None)


async def test_commands_events_and_state_reach_nats(api: Api, provisioned_nats: NatsServer) -> None:
    client = await nats.connect(provisioned_nats.url)
    heard: list[tuple[str, Any, dict[str, str] | None]] = []

    async def hear(message: Any) -> None:
        heard.append((message.subject, json.loads(message.data), message.headers))

    try:
        await client.subscribe("campaign.>", cb=hear)
        await client.subscribe("account.command.>", cb=hear)
        await client.flush()
        campaign = await api.broadcast(contacts=1)
        one, account_id, workspace = campaign["id"], campaign["telegram_account_id"], api.workspace_id
        await api.call("POST", f"/campaigns/{one}/start")
        bucket = await client.jetstream().key_value(CAMPAIGN_STATE)
        key = f"{account_id}.{one}"

        async def state() -> dict[str, Any] | None:
            try:
                found: dict[str, Any] = json.loads((await bucket.get(key)).value or b"{}")
            except KeyNotFoundError:  # also a deleted key's error
                return None
            return found

        assert await eventually(state) == {"state": "running", "version": 3, "mode": "broadcast"}
        await api.call("PUT", f"/campaigns/{one}", json={"body": "Other"})
        await api.call("DELETE", f"/campaigns/{one}", status=204)
        await eventually(lambda: any("deleted" in subject for subject, _, _ in heard))
        by_subject = {subject: (body, headers) for subject, body, headers in heard}
        assert by_subject[f"account.command.connect.{workspace}.{account_id}"][0] == {
            "workspace_id": workspace,
            "account_id": account_id,
        }
        commands = {
            verb: by_subject[f"campaign.command.{verb}.{workspace}.{one}"][0]["version"]
            for verb in ("contacts", "start", "update", "delete")
        }
        assert commands == {"contacts": 2, "start": 3, "update": 4, "delete": 5}
        body, headers = by_subject[f"campaign.event.{workspace}.deleted.{one}"]
        user_id = (await api.data("GET", "/me"))["id"]
        assert (body["kind"], body["version"], body["actor"]) == ("deleted", 5, f"user:{user_id}")
        assert headers is not None
        assert headers["ce-type"] == "com.relaygram.campaign.deleted.v1"

        async def is_gone() -> bool:
            return await state() is None

        await eventually(is_gone)
    finally:
        await client.close()
