"""Jobs become messages: once, with their outcomes told."""

from tests.gateway.gateways import GatewayProcess
from tests.gateway.world import World


async def test_a_broadcast_is_sent_and_told(world: World, gateway: GatewayProcess) -> None:
    account = await world.account()
    people = await world.people(20)
    campaign, jobs = await world.broadcast(account, people)

    events = await world.settled(jobs)

    accepted = await world.accepted(account)
    assert sorted(one["text"] for one in accepted) == sorted(f"Hello {one['first_name']}" for one in people)
    ids = {one["id"] for one in accepted}
    for event in events.values():
        assert event.state == "sent"
        assert event.telegram_message_id in ids
        assert event.sender == f"@{account.person['username']}"
        assert event.body is not None
        assert event.body.startswith("Hello Person")
        assert event.destination is not None
        assert event.destination.startswith("@p")
        assert event.attempt == 1
    await world.queue_is_empty(campaign)
