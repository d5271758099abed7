"""Through `relaygram up`: a campaign that stands still says why and until when, and goes on by itself."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from tests.support.broadcast import Audience, gather_audience, progress, until_completed
from tests.support.stack import RunningStack
from tests.support.waiting import eventually

pytestmark = pytest.mark.timeout(180)
PEOPLE = 30


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def audience(stack: RunningStack) -> Audience:
    return await gather_audience(
        stack, people=PEOPLE, messages_per_second=10, phone="+4915688007788", handle_stem="waiter"
    )


async def _waits_for(stack: RunningStack, campaign: int, reason: str) -> Any:
    async def check() -> Any:
        now = await progress(stack, campaign)
        assert now is not None
        assert now["waiting_for"] == reason, now
        return now

    return await eventually(check, 40)


async def _fault(audience: Audience, **rule: Any) -> None:
    who = {"account_id": audience.telegram_user_id, "method": "messages.sendMessage"}
    (await audience.stack.sandbox.post("/faults", json={"name": "fault", **who, **rule})).raise_for_status()


async def _account(audience: Audience) -> Any:
    return await audience.stack.api.call("GET", f"/telegram-accounts/{audience.account_id}")


async def _each_once(audience: Audience, campaign: int, name: str) -> None:
    completed = await until_completed(audience.stack, campaign)
    assert (completed["waiting_for"], completed["next_send_at"]) == (None, None)
    verdict = await audience.verdict(campaign, name)
    assert verdict.is_exact, verdict
    assert completed["sent_count"] == PEOPLE


async def test_a_campaign_that_waits_for_its_account_says_so(stack: RunningStack, audience: Audience) -> None:
    """Silent waiting looks like a hang."""
    campaign = await audience.draft("Hour")
    path = f"/telegram-accounts/{audience.account_id}"
    await stack.api.call("PATCH", path, json={"limits": {"messages_per_hour": 10}})
    await stack.api.call("POST", f"/campaigns/{campaign}/start")
    waiting = await _waits_for(stack, campaign, "hourly_limit")
    until = datetime.fromisoformat(waiting["next_send_at"])
    assert timedelta(minutes=58) < until - datetime.now(UTC) < timedelta(minutes=62)
    assert waiting["sent_count"] == 10
    await stack.api.call("PATCH", path, json={"limits": {"messages_per_hour": None}})
    await _each_once(audience, campaign, "Hour")


async def test_after_a_peer_flood_the_campaign_goes_on_by_itself(stack: RunningStack, audience: Audience) -> None:
    campaign = await audience.draft("Flood")
    await _fault(audience, after=5, times=1, action={"error": "PEER_FLOOD"})
    await stack.api.call("POST", f"/campaigns/{campaign}/start")
    waiting = await _waits_for(stack, campaign, "peer_flood")
    account = await _account(audience)
    assert account["status"] == "backing_off"
    assert account["backing_off_until"][:19] == waiting["next_send_at"][:19]
    await _each_once(audience, campaign, "Flood")
    assert (await _account(audience))["status"] == "active"


async def test_an_ended_account_is_connected_again_and_its_campaign_goes_on(
    stack: RunningStack, audience: Audience
) -> None:
    campaign = await audience.draft("Ended")
    await _fault(audience, after=8, times=1, action={"revoke_session": True})
    await stack.api.call("POST", f"/campaigns/{campaign}/start")
    waiting = await _waits_for(stack, campaign, "account_down")
    assert (waiting["status"], waiting["status_reason"]) == ("paused", "account_down")
    account = await _account(audience)
    assert account["status"] == "disabled"
    assert account["status_reason"] == "Telegram has ended this log-in; log the account in again."
    made = await stack.sandbox.post(f"/users/{audience.telegram_user_id}/session")
    body = {"session_string": made.json()["session_string"]}
    again = await stack.api.call("POST", f"/telegram-accounts/{audience.account_id}/connect", json=body)
    assert again["id"] == audience.account_id
    await _each_once(audience, campaign, "Ended")
