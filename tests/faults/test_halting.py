"""Pause and stop under load, also right after NATS was killed. When Telegram accepted what, the sandbox tells."""

import asyncio
import json
import sys
import time
from datetime import datetime
from typing import Any

import nats
import pytest

from tests.support.broadcast import Audience, progress, until_completed, until_sent
from tests.support.stack import RunningStack
from tests.support.waiting import eventually

pytestmark = [pytest.mark.faults, pytest.mark.timeout(180)]

# The promise; and what a busy machine may add to a clock that is read in another process.
_PAUSE_SECONDS = 1.0
_CLOCK_SECONDS = 0.25


@pytest.mark.parametrize("nats_is_killed", [False, True], ids=["nats_is_there", "nats_was_just_killed"])
async def test_nothing_more_is_accepted_a_second_after_a_pause(
    nats_is_killed: bool, stack: RunningStack, audience: Audience, capsys: pytest.CaptureFixture[str]
) -> None:
    name = f"Pausing {nats_is_killed}"
    campaign_id = await audience.draft(name)
    await stack.api.call("POST", f"/campaigns/{campaign_id}/start")
    await until_sent(stack, campaign_id, 0.2)

    old = stack.kill("nats") if nats_is_killed else None
    paused = await stack.api.call("POST", f"/campaigns/{campaign_id}/pause")
    at = time.time()
    assert paused["status"] == "paused"
    await asyncio.sleep(3 * _PAUSE_SECONDS)  # the promise is about time: what comes late would come in these seconds
    late = max(moment for moment in await _accepted_at(stack, audience, name)) - at
    with capsys.disabled():
        sys.stdout.write(f"\nthe last message was accepted {late:.2f} s after the pause was answered\n")
    assert late <= _PAUSE_SECONDS + _CLOCK_SECONDS

    if old is not None:
        await stack.restarted("nats", old)
    assert len(await audience.record(name)) < len(audience.ids)
    await stack.api.call("POST", f"/campaigns/{campaign_id}/start")
    await until_completed(stack, campaign_id)
    verdict = await audience.verdict(campaign_id, name)
    assert verdict.is_exact, (verdict.lost, verdict.doubled)


async def test_a_stop_under_load_purges_the_queue_and_discards_what_waited(
    stack: RunningStack, audience: Audience
) -> None:
    campaign_id = await audience.draft("Stopping")
    await stack.api.call("POST", f"/campaigns/{campaign_id}/start")
    await until_sent(stack, campaign_id, 0.2)

    await stack.api.call("POST", f"/campaigns/{campaign_id}/stop")

    async def nothing_pending() -> Any:
        campaign = await progress(stack, campaign_id)
        return campaign if campaign and campaign["pending_count"] == 0 else None

    campaign: Any = await eventually(nothing_pending, 30, what="nothing pending")
    assert await _queued(stack, campaign_id) == 0
    rows = await stack.api.log(campaign_id)
    discarded = [row for row in rows if row["error"] and row["error"]["code"] == "STOPPED"]
    sent = [row for row in rows if row["status"] == "sent"]
    assert discarded
    assert len(discarded) + len(sent) == len(rows) == campaign["sent_count"] + campaign["failed_count"]
    assert len(sent) == len(await audience.record("Stopping"))


async def _accepted_at(stack: RunningStack, audience: Audience, name: str) -> list[float]:
    moments = []
    parameters = {"from_id": audience.telegram_user_id}
    headers = {"Accept": "application/x-ndjson"}
    async with stack.sandbox.stream("GET", "/messages", params=parameters, headers=headers) as answer:
        async for line in answer.aiter_lines():
            message = json.loads(line)
            if message["text"].startswith(f"{name}. "):
                moments.append(datetime.fromisoformat(message["date"]).timestamp())
    return moments


async def _queued(stack: RunningStack, campaign_id: int) -> int:
    client = await nats.connect(stack.info["nats_url"])
    try:
        info = await client.jetstream().stream_info("SEND_JOBS", subjects_filter=f"send.job.*.{campaign_id}")
    finally:
        await client.close()
    return sum((info.state.subjects or {}).values())
