"""The logs of channels through the client: pages, filters, and errors in their own shape."""

from datetime import UTC, datetime, timedelta

import pytest

from relaygram_client import ForbiddenError, InvalidError, Relaygram, UnauthenticatedError
from tests.api.channel_calls import of_channel
from tests.api.log_rows import row, write_log
from tests.api.support import Api


async def test_all_messages_of_a_channel_page_by_page(relaygram: Relaygram, api: Api) -> None:
    campaign = (await api.campaign())["id"]
    now = datetime.now(UTC)
    ages = [timedelta(days=3) if n == 3 else timedelta(minutes=n) for n in range(7)]  # one is no longer there
    rows = [
        row(campaign, "sent", body=f"Text {n}", destination=f"@p{n}", queued_at=now - age) for n, age in enumerate(ages)
    ]
    await write_log(api, rows)
    found = [one.content.text async for one in relaygram.channel_logs.list("telegram")]
    assert found == [f"Text {n}" for n in (0, 1, 2, 4, 5, 6)]
    paged: list[str | None] = []
    cursor = None
    while True:
        page = await relaygram.channel_logs.page("telegram", limit=4, cursor=cursor)
        paged += [one.content.text for one in page.results]
        assert page.cursor is not None
        if (cursor := page.cursor.next_cursor) is None:
            break
    assert paged == found
    some = [str(rows[n]["job_id"]) for n in (1, 5)]
    wanted = relaygram.channel_logs.list("telegram", message_id=some, general_status="DELIVERED")
    assert [one.message_id async for one in wanted] == some
    since = relaygram.channel_logs.list("telegram", sent_since=now - timedelta(minutes=4, seconds=30))
    assert [one.destination async for one in since] == ["@p0", "@p1", "@p2", "@p4"]


async def test_a_row_reads_as_python_and_writes_as_the_api(relaygram: Relaygram, api: Api) -> None:
    await write_log(api, [of_channel(api, "carrier-pigeon", body="Coo", destination="roof")])
    (one,) = [found async for found in relaygram.channel_logs.list("carrier-pigeon")]
    assert (one.content.text, one.error.name, one.price.price_per_message) == ("Coo", "NO_ERROR", 0)
    assert one.sent_at.tzinfo is not None
    assert one.as_json()["messageId"] == one.message_id


async def test_its_errors_are_the_librarys(relaygram: Relaygram, api: Api) -> None:
    with pytest.raises(InvalidError) as wrong:
        await relaygram.channel_logs.page("telegram", limit=5000)
    assert (wrong.value.status, wrong.value.code) == (400, "E400")
    assert list(wrong.value.fields) == ["limit"]
    for token, kind in (("1|wrong", UnauthenticatedError), (await api.token_with("senders:read"), ForbiddenError)):
        async with Relaygram("http://api", token, http_transport=api.transport) as other:
            with pytest.raises(kind) as refused:
                await other.channel_logs.page("telegram")
        assert refused.value.message
        assert refused.value.code == f"E{refused.value.status}"
