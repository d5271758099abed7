"""A waiting campaign shows next_send_at and waiting_for; that is no new version of it."""

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.dispatcher.line import Outside, gateway
from tests.support.waiting import eventually


async def _version(line: Outside, campaign_id: int) -> Any:
    return await line.pool.fetchval("select version from control.campaigns where id = $1", campaign_id)


async def test_what_keeps_the_account_keeps_its_campaigns(line: Outside) -> None:
    campaign_id = await line.campaign(5)
    await line.expanded(campaign_id, 5)
    before, until = await _version(line, campaign_id), datetime.now(UTC) + timedelta(minutes=7)
    assert await line.waiting_for(campaign_id) is None
    await line.pool.execute(
        "insert into telegram.waits (account_id, workspace_id, waiting_for, until) values ($1, $2, 'flood_wait', $3)",
        line.account_id, line.workspace_id, until,
    )  # fmt: skip

    async def told() -> bool:
        return await line.waiting_for(campaign_id) == (until, "flood_wait")

    await eventually(told)
    await line.pool.execute("delete from telegram.waits where account_id = $1", line.account_id)

    async def no_more() -> bool:
        return await line.waiting_for(campaign_id) is None

    await eventually(no_more)
    assert await _version(line, campaign_id) == before
    async with gateway(line, campaign_id):
        await line.becomes(campaign_id, "completed")


async def test_a_paused_campaign_says_that_its_account_is_down_and_forgets_it_when_it_goes_on(line: Outside) -> None:
    campaign_id = await line.campaign(5, steps=[{"body": "One"}, {"body": "Two", "delay_seconds": 3600}])
    async with gateway(line, campaign_id, refuse_every=0):

        async def delayed() -> bool:
            found = await line.waiting_for(campaign_id)
            return found is not None and found[1] == "delay"

        await eventually(delayed)
        await line.transition(campaign_id, "account_down")
        assert await line.waiting_for(campaign_id) == (None, "account_down")
        await line.transition(campaign_id, "account_up")
        await eventually(delayed)
        await line.transition(campaign_id, "pause")
        assert await line.waiting_for(campaign_id) is None
        await line.transition(campaign_id, "stop")
        assert await line.waiting_for(campaign_id) is None
