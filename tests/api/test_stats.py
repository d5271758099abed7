"""Statistics of a campaign: counts, codes, speed and estimated end, from counters alone."""

import itertools
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from relaygram_api.core.stats import estimated_end, last_hour, sent_last_minute
from relaygram_common.database.statements import Statements
from tests.api.log_rows import row, write_log
from tests.api.support import Api

STATEMENTS = Statements("relaygram_api")
NOON = datetime(2026, 11, 21, 12, 0, 15, tzinfo=UTC)  # a quarter into its minute
PRESENT, FORMER = NOON.replace(second=0), NOON.replace(second=0) - timedelta(minutes=1)


async def stats(api: Api, campaign_id: int) -> Any:
    return await api.data("GET", f"/campaigns/{campaign_id}/stats")


async def test_a_fresh_campaign_has_nothing_but_zeros(api: Api) -> None:
    campaign = await api.broadcast(contacts=3)
    found = await stats(api, campaign["id"])
    assert found["counts"] == {"total_contacts": 3, "pending": 3, "sent": 0, "failed": 0, "read": 0, "replied": 0}
    assert (found["campaign_id"], found["codes"], found["sent_last_minute"]) == (campaign["id"], [], 0)
    assert found["estimated_end_at"] is None
    minutes = [datetime.fromisoformat(one["minute"]) for one in found["sent_per_minute"]]
    assert all(later - earlier == timedelta(minutes=1) for earlier, later in itertools.pairwise(minutes))
    assert len(minutes) == 60
    assert timedelta(0) <= datetime.now(UTC) - minutes[-1] < timedelta(seconds=70)
    assert {one["sent"] for one in found["sent_per_minute"]} == {0}


async def test_counts_are_those_of_the_campaign(api: Api) -> None:
    campaign = await api.broadcast(contacts=9)
    states = ["sent", "sent", "failed", "discarded", "queued", "read", "replied"]
    await write_log(api, [row(campaign["id"], state) for state in states])
    counts = (await stats(api, campaign["id"]))["counts"]
    assert counts == {"total_contacts": 9, "pending": 3, "sent": 4, "failed": 2, "read": 2, "replied": 1}
    shown = await api.data("GET", f"/campaigns/{campaign['id']}")
    assert [shown[f"{name}_count"] for name in ("pending", "sent", "failed", "read", "reply")] == [3, 4, 2, 2, 1]


async def test_codes_count_what_failed_so_and_still_is(api: Api) -> None:
    one = (await api.campaign())["id"]
    flooded = [row(one, "failed", error_code="PEER_FLOOD") for _ in range(3)]
    retrying = row(one, "retrying", error_code="NETWORK")
    await write_log(api, [*flooded, retrying, row(one, "discarded", error_code="STOPPED"), row(one, "sent")])
    expected = [{"code": "PEER_FLOOD", "count": 3}, {"code": "STOPPED", "count": 1}]
    assert (await stats(api, one))["codes"] == expected
    # Told again, nothing changes; Telegram had accepted one after all; another fails for another reason.
    await write_log(api, flooded)
    assert (await stats(api, one))["codes"] == expected
    await write_log(api, [{**flooded[0], "state": "sent", "rank": 4, "error_code": None}])
    await write_log(api, [{**flooded[1], "attempt": 2, "error_code": "NETWORK"}])
    await write_log(api, [{**retrying, "state": "failed", "rank": 3, "attempt": 4}])
    assert (await stats(api, one))["codes"] == [
        {"code": "NETWORK", "count": 2}, {"code": "PEER_FLOOD", "count": 1}, {"code": "STOPPED", "count": 1},
    ]  # fmt: skip


async def test_minutes_count_each_message_once_in_the_minute_it_was_sent(api: Api) -> None:
    one = (await api.campaign())["id"]
    now = datetime.now(UTC)
    ago = [timedelta(0), timedelta(0), timedelta(minutes=10), timedelta(minutes=50), timedelta(days=3)]
    rows = [row(one, "sent", sent_at=now - back) for back in ago]
    await write_log(api, [*rows, row(one, "queued"), row(one, "failed", error_code="X")])
    await write_log(api, rows)
    await write_log(api, [{**one_row, "state": "read", "rank": 6} for one_row in rows])
    found = await stats(api, one)
    assert [minute["sent"] for minute in found["sent_per_minute"] if minute["sent"]] == [1, 1, 2]
    by_minute = {minute["minute"]: minute["sent"] for minute in found["sent_per_minute"]}
    assert by_minute[f"{now - timedelta(minutes=10):%Y-%m-%dT%H:%M}:00Z"] == 1
    assert found["counts"]["sent"] == 5


async def test_minutes_are_forgotten_after_two_hours(api: Api) -> None:
    one = (await api.campaign())["id"]
    await write_log(api, [row(one, "sent")])
    await api.sql(
        "update delivery.minute_counters set minute = minute - interval '3 hours' where campaign_id = $1", one
    )
    await write_log(api, [row(one, "sent")])
    assert await api.sql("select count(*) from delivery.minute_counters where campaign_id = $1", one) == 1


async def test_a_running_broadcast_has_an_estimated_end(api: Api) -> None:
    campaign = await api.broadcast(contacts=200)
    one, path = campaign["id"], f"/campaigns/{campaign['id']}"
    await api.call("POST", f"{path}/start")
    await api.sql("update control.campaigns set started_at = now() - interval '1 h' where id = $1", one)
    await write_log(api, [row(one, "sent", sender_id=number + 1) for number in range(100)])
    found = await stats(api, one)
    assert 90 <= found["sent_last_minute"] <= 100  # the minute may turn between writing and asking
    end = datetime.fromisoformat(found["estimated_end_at"])
    assert timedelta(seconds=50) < end - datetime.now(UTC) < timedelta(seconds=75)
    steps = {"steps": [{"body": "x"}, {"body": "y", "delay_seconds": 60}]}
    await api.call("PUT", f"{path}/steps", json=steps)
    assert (await stats(api, one))["estimated_end_at"] is None  # its delays and people's replies say
    await api.call("PUT", f"{path}/steps", json={"steps": steps["steps"][:1]})
    assert (await stats(api, one))["estimated_end_at"] is not None
    await api.call("POST", f"{path}/pause")
    assert (await stats(api, one))["estimated_end_at"] is None


async def test_an_auto_reply_never_ends(api: Api) -> None:
    one = (await api.campaign(mode="auto_reply", trigger_keyword="x"))["id"]
    await api.call("POST", f"/campaigns/{one}/start")
    await write_log(api, [row(one, "sent"), row(one, "queued")])
    found = await stats(api, one)
    assert (found["counts"]["pending"], found["estimated_end_at"]) == (1, None)


async def test_what_belongs_to_no_campaign_counts_nowhere(api: Api) -> None:
    await write_log(api, [row(0, "sent"), row(0, "failed", error_code="X")])
    assert await api.sql("select count(*) from delivery.code_counters where campaign_id = 0") == 0
    assert await api.sql("select count(*) from delivery.minute_counters where campaign_id = 0") == 0


async def test_stats_of_what_is_not_there_are_404_and_need_campaigns_read(api: Api) -> None:
    await api.call("GET", "/campaigns/999999/stats", status=404)
    one = (await api.campaign())["id"]
    async with api.bearing(await api.token_with("campaigns:write", "logs:read")) as writer:
        assert (await writer.get(f"/api/v1/campaigns/{one}/stats")).status_code == 403
    await api.call("DELETE", f"/campaigns/{one}", status=204)
    await api.call("GET", f"/campaigns/{one}/stats", status=404)


@pytest.mark.parametrize("name", ["campaign_codes", "campaign_minutes", "get_campaign"])
async def test_counters_are_read_and_not_the_log(api: Api, name: str) -> None:
    connection = await asyncpg.connect(api.database.dsn)
    try:
        statement = await connection.prepare(STATEMENTS[name])
        plan = str(await statement.explain(1, *([NOON] if name == "campaign_minutes" else [])))
    finally:
        await connection.close()
    relations = set(re.findall(r"'Relation Name': '(\w+)'", plan))
    assert any(relation.endswith("_counters") for relation in relations)
    assert relations <= {"campaigns", "campaign_counters", "code_counters", "minute_counters"}


def test_the_last_minute_is_the_present_one_and_what_counts_of_the_former() -> None:
    assert sent_last_minute({PRESENT: 10, FORMER: 100}, NOON) == 85
    assert sent_last_minute({PRESENT: 10}, NOON) == 10
    assert sent_last_minute({FORMER: 100}, NOON.replace(second=59, microsecond=999_999)) == 0
    assert sent_last_minute({FORMER - timedelta(minutes=1): 100}, NOON) == 0


def test_the_last_hour_has_sixty_minutes_the_present_one_last() -> None:
    hour = last_hour(
        {PRESENT: 1, FORMER: 2, PRESENT - timedelta(minutes=59): 3, PRESENT - timedelta(minutes=60): 4}, NOON
    )
    assert (len(hour), hour[0][1], hour[-2][1], hour[-1]) == (60, 3, 2, (PRESENT, 1))


@pytest.mark.parametrize(
    ("pending", "sent", "running_seconds", "left_seconds"),
    [
        (120, {PRESENT: 60}, 3600, 120),
        (120, {PRESENT: 60}, 10, 20),  # sixty within ten seconds
        (120, {PRESENT: 60}, 0, 2),  # a clock that disagrees divides by nothing
        (120, {}, 3600, None),
        (0, {PRESENT: 60}, 3600, None),
        (10**15, {PRESENT: 1}, 3600, None),
    ],
)
def test_the_end_is_estimated_from_the_last_minute(
    pending: int, sent: dict[datetime, int], running_seconds: int, left_seconds: int | None
) -> None:
    end = estimated_end(pending, sent, started_at=NOON - timedelta(seconds=running_seconds), now=NOON)
    assert end == (None if left_seconds is None else NOON + timedelta(seconds=left_seconds))
