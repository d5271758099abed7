"""Parts are killed in the middle of a broadcast of 2,000: nothing is lost, nothing is sent twice.

Telegram's memory for random ids is made short (5 s), so that it is not what saves us.
"""

import random

import pytest

from tests.support.broadcast import Audience, still_running, until_completed, until_sent
from tests.support.stack import RunningStack

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]

PARTS = ("telegram-gateway", "dispatcher", "log-writer", "api", "nats", "postgres", "sandbox")


@pytest.mark.parametrize("part", PARTS)
async def test_a_broadcast_survives_kill_9_of(part: str, stack: RunningStack, audience: Audience) -> None:
    name = f"Killing {part}"
    campaign_id = await audience.draft(name)
    await stack.api.call("POST", f"/campaigns/{campaign_id}/start")
    await until_sent(stack, campaign_id, 0.25)

    pid = stack.kill(part)

    await stack.restarted(part, pid)
    await _demand_exactly_once(stack, audience, campaign_id, name)


@pytest.mark.parametrize("seed", range(2))
async def test_a_broadcast_survives_one_kill_after_another(seed: int, stack: RunningStack, audience: Audience) -> None:
    name, chance = f"Killing at random {seed}", random.Random(seed)  # noqa: S311 - the same story each time
    campaign_id = await audience.draft(name)
    await stack.api.call("POST", f"/campaigns/{campaign_id}/start")

    kills = 0
    while kills < 6 and await still_running(stack, campaign_id, 0.05 + 0.1 * kills):
        part = chance.choice(PARTS)
        await stack.restarted(part, stack.kill(part))
        kills += 1

    assert kills >= 2  # while a part comes back the others may finish, but not at once

    await _demand_exactly_once(stack, audience, campaign_id, name)


async def _demand_exactly_once(stack: RunningStack, audience: Audience, campaign_id: int, name: str) -> None:
    campaign = await until_completed(stack, campaign_id)
    verdict = await audience.verdict(campaign_id, name)
    assert verdict.lost == ()
    assert verdict.doubled == ()
    # Who reads `completed` reads final counters.
    counts = (campaign["sent_count"], campaign["failed_count"], campaign["pending_count"])
    assert counts == (len(audience.ids), 0, 0)
