"""Send logs through the client, and their errors."""

from datetime import UTC, datetime, timedelta

import pytest

from relaygram_client import ForbiddenError, InvalidError, NotFoundError, Relaygram, UnauthenticatedError
from tests.api.log_rows import row, write_log
from tests.api.support import Api


async def test_sends_are_searched_and_read(relaygram: Relaygram, api: Api) -> None:
    campaigns = [await api.campaign(body="Hello {{first_name|there}}") for _ in range(3)]
    for campaign in campaigns:
        made = {"run_id": 5, "queued_at": datetime.now(UTC).replace(microsecond=123_000)}  # as the log-writer has it
        await write_log(
            api, [row(campaign["id"], "sent", destination=f"@p{n}", recipient_id=n + 1, **made) for n in range(2)]
        )
    ids = [campaign["id"] for campaign in campaigns]
    found = await relaygram.send_logs.search(campaign_ids=ids[:2])
    assert (found.total, [one.campaign_id for one in found.send_logs]) == (2, [str(one) for one in ids[:2]])
    first = found.send_logs[0]
    assert (first.message, first.triggered_by, first.destinations) == ("Hello {{first_name|there}}", "broadcast", 2)
    listed = await relaygram.send_logs.get(first.id, group_destinations="list")
    assert listed.destinations == ["@p0", "@p1"]
    assert await relaygram.send_logs.get(first.id) == first
    assert first.as_json()["_id"] == first.id
    begun = first.start_delivery_at
    between = await relaygram.send_logs.search(campaign_ids=ids[:1], start_from=begun, start_until=begun)
    assert between.send_logs == [first]
    assert between.parsed["options"] == {"skip": 0, "limit": 1000}
    later = await relaygram.send_logs.search(campaign_ids=ids[:1], start_from=begun + timedelta(hours=1))
    assert later.total == 0
    second = await relaygram.send_logs.search(campaign_ids=ids, skip=1, limit=1)
    assert (second.total, [one.campaign_id for one in second.send_logs]) == (3, [str(ids[1])])


async def test_their_errors_are_the_librarys(relaygram: Relaygram, api: Api) -> None:
    for unknown in ("999999", "not-an-id", "../me"):
        with pytest.raises(NotFoundError) as missing:
            await relaygram.send_logs.get(unknown)
        assert (missing.value.code, bool(missing.value.message)) == ("resource_not_found", True)
    with pytest.raises(InvalidError) as wrong:
        await relaygram.send_logs.search(limit=5000)
    assert (wrong.value.status, wrong.value.code) == (400, "invalid_request")
    assert "limit" in wrong.value.message
    for token, kind in (("1|wrong", UnauthenticatedError), (await api.token_with("senders:read"), ForbiddenError)):
        async with Relaygram("http://api", token, http_transport=api.transport) as other:
            with pytest.raises(kind) as refused:
                await other.send_logs.search()
        assert refused.value.message
