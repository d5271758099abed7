"""A message in hand, admitted and waiting for its turn, is judged again when its person writes."""

from collections.abc import Callable

from tests.gateway.arrivals import all_told, at_work, write
from tests.gateway.gateways import GatewayProcess
from tests.gateway.world import World
from tests.support.waiting import eventually


async def test_a_message_that_waits_for_its_chat_is_kept_back_by_a_stop(
    world: World, own_gateway: Callable[..., GatewayProcess]
) -> None:
    gateway = own_gateway(per_chat_seconds=4)
    await gateway.start()
    account = await world.account()
    await at_work(world, account)
    (person,) = await world.people(1)
    _, (opener,) = await world.broadcast(account, [person], "First")
    await world.settled([opener])
    campaign, (in_hand,) = await world.broadcast(account, [person], "Second")

    async def admitted() -> bool:
        state = await world.sql.fetchval("select state from telegram.sends where job_id = $1", in_hand.job_id)
        return bool(state == "sending")

    await eventually(admitted, what="in hand")
    await write(world, person, account, "stop")
    await all_told(world, account, {"stop"})

    async def given_back() -> bool:
        info = await world.client.jetstream().consumer_info("SEND_JOBS", f"job-{account.id}-{campaign}")
        return bool(info.delivered and info.delivered.consumer_seq > 2)

    await eventually(given_back, what="judged again, and again")
    assert [one["text"] for one in await world.accepted(account)] == ["First"]
    await world.sql.execute(
        "insert into control.suppressions (workspace_id, telegram_user_id, reason) values ($1, $2, 'opted out')",
        world.workspace, person["id"],
    )  # fmt: skip
    event = (await world.settled([in_hand]))[in_hand.job_id]
    assert event.error is not None
    assert event.error.code == "SUPPRESSED"
    assert len(await world.accepted(account)) == 1
