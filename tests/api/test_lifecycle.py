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

# (state, action) → (status, status_reason) after it; what is missing is 409 and changes nothing. `account_down` is
# paused because its account is, and the account still is.
ALLOWED = {
    ("draft", "start"): ("running", None),
    ("running", "start"): ("running", None),
    ("paused", "start"): ("running", None),
    ("content_error", "start"): ("running", None),
    ("account_down", "start"): ("paused", "account_down"),
    ("running", "pause"): ("paused", "user"),
    ("paused", "pause"): ("paused", "user"),
    ("content_error", "pause"): ("paused", "user"),
    ("account_down", "pause"): ("paused", "user"),
    ("draft", "stop"): ("stopped", None),
    ("running", "stop"): ("stopped", None),
    ("paused", "stop"): ("stopped", None),
    ("content_error", "stop"): ("stopped", None),
    ("account_down", "stop"): ("stopped", None),
    ("stopped", "stop"): ("stopped", None),
}
# These answer 200 without a change: no new version, nothing in the outbox.
NO_OPS = {("running", "start"), ("account_down", "start"), ("paused", "pause"), ("stopped", "stop")}
TARGETS = {"start": "running", "pause": "paused", "stop": "stopped"}
STATES = {
    "draft": [], "running": ["start"], "paused": ["start", "pause"], "stopped": ["stop"], "completed": ["start"],
    "content_error": ["start"], "account_down": ["start"],
}  # fmt: skip


async def campaign_in(api: Api, state: str) -> int:
    """A broadcast with one contact, brought there by whoever does that."""
    account_id = await api.account(status="code_required" if state == "account_down" else "active")
    campaign = await api.campaign(account_id)
    campaign_id: int = campaign["id"]
    await api.import_csv(campaign_id, "handle\nsomebody\n")
    for action in STATES[state]:
        await api.call("POST", f"/campaigns/{campaign_id}/{action}")
    if by_dispatcher := {"completed": "complete", "content_error": "content_error"}.get(state):
        moved = "select outcome from control.transition($1, $2, $3, 'dispatcher')"
        await api.sql(moved, api.workspace_id, campaign_id, by_dispatcher, role="relaygram_dispatcher")
    return campaign_id


async def version(api: Api, campaign_id: int) -> int:
    number: int = await api.sql("select version from control.campaigns where id = $1", campaign_id)
    return number


async def announced(api: Api, nats_url: str, campaign_id: int) -> dict[str, int]:
    """How often each subject about this campaign was published, when the outbox has nothing of it any more."""
    left = "select count(*) from control.outbox where (body ->> 'campaign_id')::bigint = $1"

    async def is_relayed() -> bool:
        return bool(await api.sql(left, campaign_id) == 0)

    await eventually(is_relayed)
    client = await nats.connect(nats_url)
    try:
        counts: dict[str, int] = {}
        for stream, subjects in (("CAMPAIGN_COMMANDS", "campaign.command.*"), ("CAMPAIGN_EVENTS", "campaign.event")):
            kinds = f"{subjects}.*.{campaign_id}" if "command" in subjects else f"{subjects}.*.*.{campaign_id}"
            info = await client.jetstream().stream_info(stream, subjects_filter=kinds)
            for subject, count in (info.state.subjects or {}).items():
                words = subject.split(".")
                counts[words[2] if words[1] == "command" else words[3]] = count
        return counts
    finally:
        await client.close()


@pytest.mark.parametrize("action", ["start", "pause", "stop"])
@pytest.mark.parametrize("state", STATES)
async def test_every_state_and_action(api: Api, state: str, action: str) -> None:
    campaign_id = await campaign_in(api, state)
    path, allowed = f"/campaigns/{campaign_id}", ALLOWED.get((state, action))
    before, version_before = await api.data("GET", path), await version(api, campaign_id)
    answer = await api.call("POST", f"{path}/{action}", status=200 if allowed else 409)
    after = await api.data("GET", path)
    if allowed is None:
        assert answer["code"] == "transition_refused"
        assert f"from {state} to {TARGETS[action]}" in answer["message"]
        assert after == before
    else:
        assert answer["data"] == after
        assert (after["status"], after["status_reason"]) == allowed
    is_a_change = allowed is not None and (state, action) not in NO_OPS
    assert await version(api, campaign_id) == version_before + is_a_change


@pytest.mark.parametrize(
    ("state", "action", "event", "happens"),
    [
        ("draft", "start", "started", 1), ("running", "start", "started", 0), ("paused", "start", "resumed", 1),
        ("running", "pause", "paused", 1), ("account_down", "pause", "paused", 1), ("running", "stop", "stopped", 1),
        ("stopped", "stop", "stopped", 0),
    ],
)  # fmt: skip
async def test_ten_calls_at_once_are_one_transition_one_command_and_one_event(
    api: Api, provisioned_nats: NatsServer, state: str, action: str, event: str, happens: int
) -> None:
    campaign_id = await campaign_in(api, state)
    version_before = await version(api, campaign_id)
    told_before = await announced(api, provisioned_nats.url, campaign_id)
    found = await asyncio.gather(*(api.data("POST", f"/campaigns/{campaign_id}/{action}") for _ in range(10)))
    assert all(one == found[0] for one in found)
    assert found[0]["status"] == TARGETS[action]
    assert await version(api, campaign_id) == version_before + happens
    told = await announced(api, provisioned_nats.url, campaign_id)
    assert told.get(action, 0) == told_before.get(action, 0) + happens
    assert told.get(event, 0) == told_before.get(event, 0) + happens
    assert sum(told.values()) == sum(told_before.values()) + 2 * happens


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


@pytest.mark.parametrize(
    ("account", "status", "reason"),
    [
        ("active", "running", None),
        ("backing_off", "running", None),  # it waits for Telegram's limit, and goes on
        ("new", "paused", "account_down"),
        ("code_required", "paused", "account_down"),
        ("password_required", "paused", "account_down"),
        ("disabled", "paused", "account_down"),
    ],
)
async def test_what_start_makes_of_each_status_of_the_account(
    api: Api, account: str, status: str, reason: str | None
) -> None:
    account_id = await api.account(status="active" if account == "backing_off" else account)
    if account == "backing_off":
        await api.account_becomes(account_id, account)
    campaign = await api.campaign(account_id)
    path = f"/campaigns/{campaign['id']}"
    await api.import_csv(campaign["id"], "handle\nsomebody\n")
    await api.call("PUT", path, json={"scheduled_at": "2999-01-01T00:00:00Z"})
    started = await api.data("POST", f"{path}/start")
    assert (started["status"], started["status_reason"]) == (status, reason)
    assert started["started_at"] is not None
    assert started["scheduled_at"] is None


async def test_an_account_that_goes_down_pauses_its_running_campaigns_until_it_is_back(api: Api) -> None:
    campaign = await api.broadcast(contacts=1)
    path, account_id = f"/campaigns/{campaign['id']}", campaign["telegram_account_id"]
    await api.call("POST", f"{path}/start")
    await api.account_becomes(account_id, "disabled")
    paused = await api.data("GET", path)
    assert (paused["status"], paused["status_reason"]) == ("paused", "account_down")
    await api.account_becomes(account_id, "active")
    resumed = await api.data("GET", path)
    assert (resumed["status"], resumed["status_reason"]) == ("running", None)


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


@pytest.mark.parametrize("action", ["start", "pause", "stop"])
async def test_what_is_not_there_or_deleted_is_404(api: Api, action: str) -> None:
    await api.call("POST", f"/campaigns/999999/{action}", status=404)
    campaign_id = await campaign_in(api, "running")
    await api.call("DELETE", f"/campaigns/{campaign_id}", status=204)
    await api.call("POST", f"/campaigns/{campaign_id}/{action}", status=404)


@pytest.mark.parametrize("state", STATES)
async def test_delete_works_from_any_state(api: Api, state: str) -> None:
    campaign_id = await campaign_in(api, state)
    await api.call("DELETE", f"/campaigns/{campaign_id}", status=204)
    await api.call("DELETE", f"/campaigns/{campaign_id}", status=404)


async def test_controls_need_campaigns_control_alone(api: Api) -> None:
    campaign_id = await campaign_in(api, "draft")
    async with api.bearing(await api.token_with("campaigns:control")) as controller:
        for action in ("start", "pause", "start", "stop"):
            done = await controller.post(f"/api/v1/campaigns/{campaign_id}/{action}")
            assert done.status_code == 200
    async with api.bearing(await api.token_with("campaigns:read", "campaigns:write")) as writer:
        refused = await writer.post(f"/api/v1/campaigns/{campaign_id}/start")
        assert (refused.status_code, refused.json()["code"]) == (403, "missing_ability")


async def test_a_keyed_start_is_answered_again_with_its_etag(api: Api) -> None:
    campaign_id = await campaign_in(api, "draft")
    path = f"/api/v1/campaigns/{campaign_id}/start"
    first, again = [await api.client.post(path, headers={"Idempotency-Key": f"start-{campaign_id}"}) for _ in range(2)]
    assert again.headers["idempotent-replayed"] == "true"
    assert (again.content, again.headers["etag"]) == (first.content, first.headers["etag"])
