"""What people have read is told as it happens; what was missed is in test_missed_updates."""

from tests.gateway.arrivals import all_read, read
from tests.gateway.gateways import GatewayProcess
from tests.gateway.world import World


async def test_what_is_read_is_told(world: World, gateway: GatewayProcess) -> None:
    account = await world.account()
    people = await world.people(3)
    _, jobs = await world.broadcast(account, people)
    events = await world.settled(jobs)
    await read(world, account, people[0])
    (receipt, *_) = await all_read(world, account, 1)
    assert receipt.chat_id == people[0]["id"]
    assert receipt.message_id == events[jobs[0].job_id].telegram_message_id
