"""Each part in turn is killed in the middle of a broadcast of 2,000: nothing is lost, nothing is sent twice.

Telegram's memory for random ids is made short (5 s), so that it is not what saves us.
"""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.support.broadcast import Audience, gather_audience, until_completed, until_sent
from tests.support.stack import RunningStack, running_stack

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]

PEOPLE = 2_000
PARTS = ("telegram-gateway", "dispatcher", "log-writer", "api", "nats", "postgres", "sandbox")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningStack]:
    """One stack for all kills."""
    folder: Path = tmp_path_factory.mktemp("stack")
    env = {
        "RELAYGRAM_RANDOM_ID_TRUST_SECONDS": "2",
        "RELAYGRAM_LEASE_SECONDS": "4",
        "RELAYGRAM_RATE_LIMIT_PER_MINUTE": "0",
    }
    async with running_stack(folder, env) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def audience(stack: RunningStack) -> Audience:
    """2,000 people, sent to at a pace that leaves time for a kill."""
    (await stack.sandbox.put("/settings", json={"random_id_memory_seconds": 5})).raise_for_status()
    return await gather_audience(
        stack, people=PEOPLE, messages_per_second=400, phone="+4915200000001", handle_stem="person"
    )


@pytest.mark.parametrize("part", PARTS)
async def test_a_broadcast_survives_kill_9_of(part: str, stack: RunningStack, audience: Audience) -> None:
    name = f"Killing {part}"
    campaign_id = await audience.draft(name)
    await stack.api.call("POST", f"/campaigns/{campaign_id}/start")
    await until_sent(stack, campaign_id, 0.25)

    pid = stack.kill(part)

    await stack.restarted(part, pid)
    campaign = await until_completed(stack, campaign_id)
    verdict = await audience.verdict(campaign_id, name)
    assert verdict.lost == ()
    assert verdict.doubled == ()
    # Who reads `completed` reads final counters.
    assert (campaign["sent_count"], campaign["failed_count"], campaign["pending_count"]) == (PEOPLE, 0, 0)
