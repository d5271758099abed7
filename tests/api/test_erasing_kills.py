"""An api killed in the middle of an erasure: asking again finishes it, and counts nobody twice."""

import asyncio
from collections.abc import Callable

import asyncpg
import httpx
import pytest

from tests.api.log_rows import row, write_log
from tests.api.served import environment, is_ready, start
from tests.api.support import Api
from tests.support.waiting import eventually

pytestmark = pytest.mark.faults
CAMPAIGNS = 3000
# The first campaign alone says that the handle and the id are one person's; it is erased first.
_MAKE = """
with c as (
    insert into control.campaigns (workspace_id, name, mode, body, telegram_account_id, total_contacts)
    select $1, 'many', 'broadcast', 'b', $2, 1 from generate_series(1, $3::int) returning id
)
insert into control.contacts (workspace_id, campaign_id, telegram_user_id, handle, first_name)
select $1, c.id, 550055, case when c.id = (select min(id) from c) then 'kim_x' end, 'Kimberly' from c
returning campaign_id, id"""


async def left(api: Api) -> int:
    number: int = await api.sql("select count(*) from control.contacts where first_name = 'Kimberly'")
    return number


async def test_an_erasure_that_was_killed_is_finished_by_asking_again(api: Api, free_port: Callable[[], int]) -> None:
    connection = await asyncpg.connect(api.database.dsn)
    made = await connection.fetch(_MAKE, api.workspace_id, await api.account(), CAMPAIGNS)
    await write_log(
        api, [row(one["campaign_id"], "sent", sender_id=one["id"], body="Hi Kimberly") for one in made[::3]]
    )

    port, health_port = free_port(), free_port()
    victim = start(environment(api.database, api.parts.settings.nats_url, port, health_port))
    headers = {"Authorization": f"Bearer {api.token}"}
    try:
        await eventually(lambda: is_ready(health_port), 20)
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}/api/v1", headers=headers, timeout=60) as client:
            erasing = asyncio.create_task(client.post("/people/erase", json={"handle": "kim_x"}))

            async def has_begun() -> bool:
                return await left(api) < CAMPAIGNS

            await eventually(has_begun, 20)
            victim.kill()
            with pytest.raises(httpx.TransportError):
                await erasing
    finally:
        victim.kill()
        await asyncio.to_thread(victim.communicate)
    rest = await left(api)
    assert 0 < rest < CAMPAIGNS

    done = await api.data("POST", "/people/erase", json={"handle": "kim_x"})
    assert 0 < done["contacts"] <= rest  # less, when the victim's last commit was still on its way
    assert await left(api) == 0
    assert await connection.fetchval("select count(*) from delivery.messages where body = 'Hi Kimberly'") == 0
    assert await connection.fetchval("select count(*) from control.erasures") == 0
    # A third of them had a message: these stay in their campaign's total.
    assert await connection.fetchval("select sum(total_contacts) from control.campaigns where name = 'many'") == len(
        made[::3]
    )
    campaign = await api.campaign()
    assert (await api.import_csv(campaign["id"], "telegram_user_id\n550055\n"))["rejected"] == 1
    await connection.close()
