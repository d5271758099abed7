"""People who are suppressed, taken out or erased while a broadcast to them runs."""

from collections import Counter
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from tests.support.broadcast import Audience, gather_audience, until_completed, until_sent
from tests.support.stack import RunningStack
from tests.support.waiting import eventually

pytestmark = pytest.mark.timeout(180)
PEOPLE = 300


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def audience(stack: RunningStack) -> Audience:
    return await gather_audience(
        stack, people=PEOPLE, messages_per_second=40, phone="+4915400000077", handle_stem="leaver"
    )


async def sender_ids(stack: RunningStack, campaign_id: int, handles: list[str]) -> list[int]:
    path = f"/campaigns/{campaign_id}/senders"
    return [(await stack.api.call("GET", path, params={"q": handle}))[0]["id"] for handle in handles]


async def traces_of(stack: RunningStack, handle: str) -> list[str]:
    """Tables that still hold this handle."""
    connection = await asyncpg.connect(stack.info["postgres_dsn"])
    try:
        names = await connection.fetch(
            "select n.nspname || '.' || c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace"
            " where c.relkind = 'r' and n.nspname in ('control', 'dispatch', 'telegram', 'delivery')"
        )
        return [
            row["name"]
            for row in names
            if await connection.fetchval(
                f"select exists (select from {row['name']} t where t::text ~* $1)",  # noqa: S608 - names of our own
                rf"\m{handle}\M",
            )
        ]
    finally:
        await connection.close()


async def test_who_leaves_in_the_middle_is_not_written_to_and_everything_adds_up(
    stack: RunningStack, audience: Audience
) -> None:
    seats = list(audience.handles)
    suppressed, removed, erased, written = seats[200:210], seats[220:230], seats[240:250], seats[:3]
    campaign_id = await audience.draft("Leaving")
    removed_ids = await sender_ids(stack, campaign_id, [audience.handles[seat] for seat in removed])
    erased_ids = await sender_ids(stack, campaign_id, [audience.handles[seat] for seat in [*erased, *written]])
    await stack.api.call("POST", f"/campaigns/{campaign_id}/start")
    await until_sent(stack, campaign_id, 0.05)

    people = [{"handle": audience.handles[seat]} for seat in suppressed]
    added: Any = await stack.api.call("POST", "/suppressions", json={"people": people})
    assert added["added"] == 10
    for contact_id in removed_ids:
        answer = await stack.client.delete(f"/api/v1/campaigns/{campaign_id}/contacts/{contact_id}")
        assert answer.status_code == 204
    for seat in [*erased, *written]:
        done: Any = await stack.api.call("POST", "/people/erase", json={"handle": audience.handles[seat]})
        assert done["contacts"] == 1
    campaign = await until_completed(stack, campaign_id)

    rows = await stack.api.log(campaign_id)
    assert len(rows) == campaign["total_contacts"] == campaign["sent_count"] + campaign["failed_count"] == PEOPLE
    codes = Counter(row["error"]["code"] for row in rows if row["error"])
    assert codes == {"SUPPRESSED": 10, "GONE": 20}
    never = {audience.ids[seat] for seat in (*suppressed, *removed, *erased)}
    received = Counter(message.to_id for message in await audience.record("Leaving"))
    assert not never & received.keys()
    assert set(received.values()) == {1}
    assert len(received) == campaign["sent_count"] == PEOPLE - 30

    by_sender = {row["sender_id"]: row for row in rows}
    assert all(by_sender[contact_id]["body"] is None for contact_id in erased_ids)
    assert all(by_sender[contact_id]["status"] == "sent" for contact_id in erased_ids[-3:])

    async def gone() -> bool:
        # What was on the wire when its person was erased loses its text with its outcome.
        return not await traces_of(stack, audience.handles[written[0]])

    await eventually(gone, 20, what="no trace of an erased person")
    assert await traces_of(stack, audience.handles[erased[0]]) == []

    again = await audience_without_erased(stack, audience)
    assert again["rejected"] == len(erased) + len(written)


async def audience_without_erased(stack: RunningStack, audience: Audience) -> Any:
    """The report of importing everybody into one more campaign."""
    body = {"name": "n", "mode": "broadcast", "body": "b", "telegram_account_id": audience.account_id}
    campaign = await stack.api.call("POST", "/campaigns", json=body)
    return await stack.api.import_contacts(campaign["id"], audience.contacts_csv())
