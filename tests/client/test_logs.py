"""Reading and following a campaign's log through the client."""

from relaygram_client import LogRow, Relaygram
from tests.api.log_rows import row, write_log
from tests.api.support import Api


async def test_the_whole_log_by_iteration_and_filters(relaygram: Relaygram, api: Api) -> None:
    campaign = (await api.campaign())["id"]
    await write_log(api, [row(campaign, "sent" if number % 2 else "queued") for number in range(450)])
    rows = await relaygram.campaigns.logs(campaign).all()
    ids = [one.id for one in rows]
    assert (len(ids), ids) == (450, sorted(set(ids)))
    assert [one.id async for one in relaygram.logs.list(campaign, status="sent", order="desc")] == ids[1::2][::-1]
    newer = [one.id async for one in relaygram.logs.list(campaign, since=rows[439].created_at)]
    assert newer == ids[440:]


async def test_a_tail_gives_each_row_once_as_they_are_made(relaygram: Relaygram, api: Api) -> None:
    campaign = (await api.campaign())["id"]
    seen: list[LogRow] = []
    for_ever = relaygram.logs.tail(campaign, poll_seconds=0.01)
    for batch in (3, 250, 1):
        await write_log(api, [row(campaign, "queued") for _ in range(batch)])
        seen += [await anext(for_ever) for _ in range(batch)]
    await for_ever.aclose()
    assert [one.id for one in seen] == [one.id async for one in relaygram.logs.list(campaign)]
    following = relaygram.logs.tail(campaign, since_id=seen[-2].id)
    assert (await anext(following)).id == seen[-1].id
    await following.aclose()


async def test_following_changes_shows_a_row_again_when_its_state_changes(relaygram: Relaygram, api: Api) -> None:
    campaign = (await api.campaign())["id"]
    queued = row(campaign, "queued")
    await write_log(api, [queued])
    changes = relaygram.logs.tail_changes(campaign, poll_seconds=0.01)
    first = await anext(changes)
    await write_log(api, [{**row(campaign, "sent"), "job_id": queued["job_id"]}])
    second = await anext(changes)
    await changes.aclose()
    assert (first.status, second.status, second.id) == ("pending", "sent", first.id)
    assert second.revision > first.revision


async def test_the_log_of_all_campaigns(relaygram: Relaygram, api: Api) -> None:
    campaigns = [(await api.campaign())["id"] for _ in range(2)]
    for campaign in campaigns:
        await write_log(api, [row(campaign, "sent", sender_id=987_654) for _ in range(3)])
    rows = await relaygram.logs.list_all(sender_id=987_654).all()
    assert [one.campaign_id for one in rows] == [campaigns[0]] * 3 + [campaigns[1]] * 3
