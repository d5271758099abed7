"""What people have read is told: as it happens, and also what was missed."""

from collections.abc import Callable

import pytest

from relaygram_common.contracts.receipts import Receipt
from tests.gateway.arrivals import receipts
from tests.gateway.gateways import GatewayProcess
from tests.gateway.world import Account, World
from tests.support.waiting import eventually


async def _read_receipts(world: World, account: Account, count: int, timeout: float = 30) -> list[Receipt]:
    """Wait until so many different ones were told."""

    async def there() -> bool:
        found = {(one.chat_id, one.message_id) for one in await receipts(world, account, "read")}
        assert len(found) >= count, f"{len(found)} of {count}"
        return True

    await eventually(there, timeout)
    return await receipts(world, account, "read")


async def _read(world: World, account: Account, *people: dict[str, object]) -> None:
    for person in people:
        await world.sandbox.post(f"/users/{person['id']}/read", {"peer_id": account.person["id"]})


async def test_what_is_read_is_told(world: World, gateway: GatewayProcess) -> None:
    account = await world.account()
    people = await world.people(3)
    _, jobs = await world.broadcast(account, people)
    events = await world.settled(jobs)
    await _read(world, account, people[0])
    (receipt, *_) = await _read_receipts(world, account, 1)
    assert receipt.chat_id == people[0]["id"]
    assert receipt.message_id == events[jobs[0].job_id].telegram_message_id


@pytest.mark.parametrize("state_is_kept", [True, False])
async def test_what_was_read_while_nobody_ran_the_account_is_told(
    world: World, own_gateway: Callable[..., GatewayProcess], state_is_kept: bool
) -> None:
    """From Telegram's difference; and where that no longer tells it, from the chats."""
    first, account = own_gateway(), await world.account()
    await first.start()
    people = await world.people(120)
    _, jobs = await world.broadcast(account, people)
    events = await world.settled(jobs)
    await first.stop()
    if not state_is_kept:
        await world.sql.execute("delete from telegram.update_states where account_id = $1", account.id)
    await _read(world, account, *people)
    second = own_gateway(catch_up_seconds=1)
    await second.start()
    found = await _read_receipts(world, account, 120)
    expected = {(event.recipient_id, event.telegram_message_id) for event in events.values()}
    assert {(one.chat_id, one.message_id) for one in found} == expected
    await second.stop()
