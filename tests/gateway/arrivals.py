"""What the tests of arrivals share: people who write and read, and what NATS has of it."""

from typing import Any

from nats.aio.msg import Msg
from nats.js.api import AckPolicy, ConsumerConfig

from relaygram_common.contracts.public_events import InboundMessage
from relaygram_common.contracts.receipts import Receipt
from tests.gateway.world import Account, World
from tests.support.waiting import eventually


async def stored(world: World, stream: str, subject: str) -> list[Msg]:
    """All messages of a subject that a stream has."""
    js = world.client.jetstream()
    info = await js.stream_info(stream, subjects_filter=subject)
    count = sum((info.state.subjects or {}).values())
    if not count:
        return []
    config = ConsumerConfig(ack_policy=AckPolicy.NONE, inactive_threshold=5)
    subscription = await js.pull_subscribe(subject, stream=stream, config=config)
    found: list[Msg] = []
    while len(found) < count:
        found += await subscription.fetch(count - len(found), timeout=5)
    await subscription.unsubscribe()
    return found


async def told(world: World, account: Account) -> list[InboundMessage]:
    """The inbound events of an account, in the stream's order."""
    subject = f"message.inbound.{world.workspace}.{account.id}"
    return [InboundMessage.model_validate_json(one.data) for one in await stored(world, "INBOUND_MESSAGES", subject)]


async def receipts(world: World, account: Account, kind: str) -> list[Receipt]:
    """The receipts of one kind."""
    found = [
        Receipt.model_validate_json(one.data) for one in await stored(world, "RECEIPTS", f"receipt.*.{account.id}")
    ]
    return [one for one in found if one.kind == kind]


async def write(world: World, person: dict[str, Any], account: Account, *texts: str) -> None:
    """A person writes to an account."""
    for text in texts:
        await world.sandbox.post(f"/users/{person['id']}/messages", {"to_id": account.person["id"], "text": text})


async def kept_pts(world: World, account: Account) -> int:
    """How far the account's updates are known; 0 for an account that was never at work."""
    found = await world.sql.fetchval("select pts from telegram.update_states where account_id = $1", account.id)
    return int(found or 0)


async def at_work(world: World, account: Account) -> None:
    """Wait until the account is connected and its state is kept."""

    async def there() -> bool:
        return await kept_pts(world, account) > 0

    await eventually(there, what="the account at work")


async def all_told(world: World, account: Account, texts: set[str], timeout: float = 30) -> list[InboundMessage]:
    """Wait until each of these texts was told: none lost, and none under two ids."""

    async def complete() -> bool:
        missing = texts - {one.text for one in await told(world, account)}
        assert not missing, f"{len(missing)} of {len(texts)} not told"
        return True

    await eventually(complete, timeout)
    events = await told(world, account)
    by_text = {(one.text, one.message_id, one.event_id) for one in events}
    assert len(by_text) == len(texts), "a message was told under two ids"
    return events


async def all_read(world: World, account: Account, count: int, timeout: float = 30) -> list[Receipt]:
    """Wait until so many different ones were told."""

    async def there() -> bool:
        found = {(one.chat_id, one.message_id) for one in await receipts(world, account, "read")}
        assert len(found) >= count, f"{len(found)} of {count}"
        return True

    await eventually(there, timeout)
    return await receipts(world, account, "read")


async def read(world: World, account: Account, *people: dict[str, Any]) -> None:
    """People read what they got."""
    for person in people:
        await world.sandbox.post(f"/users/{person['id']}/read", {"peer_id": account.person["id"]})
