"""The queue of jobs is lost in the middle of a broadcast: that costs time, and no message."""

import nats
import pytest

from relaygram_common.topology import SEND_JOBS, provision
from tests.support.broadcast import Audience, until_completed, until_sent
from tests.support.stack import RunningStack

pytestmark = [pytest.mark.faults, pytest.mark.timeout(180)]


@pytest.mark.parametrize("lost", ["its consumers", "the stream"])
async def test_a_broadcast_survives_the_loss_of(lost: str, stack: RunningStack, audience: Audience) -> None:
    name = f"Losing {lost}"
    campaign_id = await audience.draft(name)
    await stack.api.call("POST", f"/campaigns/{campaign_id}/start")
    await until_sent(stack, campaign_id, 0.25)

    client = await nats.connect(stack.info["nats_url"])
    try:
        js = client.jetstream()
        if lost == "the stream":
            await js.delete_stream(SEND_JOBS)
        else:
            for consumer in await js.consumers_info(SEND_JOBS):
                await js.delete_consumer(SEND_JOBS, consumer.name)
    finally:
        await client.close()
    if lost == "the stream":
        await provision(stack.info["nats_url"])  # as `relaygram provision` does

    await until_completed(stack, campaign_id, 120)
    verdict = await audience.verdict(campaign_id, name)
    assert verdict.is_exact, (verdict.lost, verdict.doubled)
