"""One owner per account, also when it dies, hangs, or lets go."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Callable

import nats
import pytest
from nats.aio.client import Client

from relaygram_local_stack.servers import NatsServer
from relaygram_telegram_gateway.adapters.nats_leases import LeaseStore, lease_clock
from relaygram_telegram_gateway.core.lease_clock import LeaseTerms
from tests.gateway.gateways import GatewayProcess
from tests.gateway.world import World
from tests.support.waiting import eventually

TERMS = LeaseTerms(ttl_seconds=2, margin_seconds=0.5)


@pytest.fixture
async def client(provisioned_nats: NatsServer) -> AsyncIterator[Client]:
    """A connection to NATS."""
    made = await nats.connect(provisioned_nats.url)
    yield made
    await made.close()


async def test_of_two_takers_one_wins(client: Client) -> None:
    one, two = LeaseStore(client, "one", TERMS), LeaseStore(client, "two", TERMS)
    seen = await one.look(9001)
    assert (seen.holder, seen.revision) == (None, 0)
    first, second = await asyncio.gather(one.take(9001, seen), two.take(9001, seen))
    assert (first is None) != (second is None)
    assert (await one.look(9001)).holder == ("one" if first else "two")


async def test_a_lease_dies_by_itself_after_its_holder_has_stopped(client: Client) -> None:
    store = LeaseStore(client, "one", TERMS)
    lease = await store.take(9002, await store.look(9002))
    assert lease is not None
    assert lease.is_valid()
    still_held_at_deadline = None
    while (await store.look(9002)).holder is not None:
        if not lease.is_valid() and still_held_at_deadline is None:
            still_held_at_deadline = True
        await asyncio.sleep(0.02)
    assert still_held_at_deadline  # its holder stopped first
    assert (await store.look(9002)).expired


async def test_a_renewed_lease_keeps_its_ttl(client: Client) -> None:
    store = LeaseStore(client, "one", TERMS)
    lease = await store.take(9003, await store.look(9003))
    assert lease is not None
    for _ in range(2):
        await asyncio.sleep(0.6)
        assert await store.renew(lease)
    assert lease.is_valid()
    renewed_at = lease_clock()
    await eventually(lambda: _is_free(store, 9003), 5)
    assert 1.9 < lease_clock() - renewed_at < 4


async def _is_free(store: LeaseStore, account: int) -> bool:
    return (await store.look(account)).holder is None


async def test_a_renewal_whose_answer_was_lost_is_found(client: Client) -> None:
    store = LeaseStore(client, "one", TERMS)
    lease = await store.take(9004, await store.look(9004))
    assert lease is not None
    before = lease.revision
    assert await store.renew(lease)
    lease.revision = before  # as if we had not heard of it
    assert await store.renew(lease)
    assert (await store.look(9004)).revision == lease.revision


async def test_a_lease_taken_by_another_is_lost(client: Client) -> None:
    one, two = LeaseStore(client, "one", TERMS), LeaseStore(client, "two", TERMS)
    lease = await one.take(9005, await one.look(9005))
    assert lease is not None
    await eventually(lambda: _is_free(one, 9005), 5)
    assert await two.take(9005, await two.look(9005))
    assert not await one.renew(lease)
    assert not lease.is_valid()


async def test_a_released_lease_is_free_at_once(client: Client) -> None:
    one, two = LeaseStore(client, "one", TERMS), LeaseStore(client, "two", TERMS)
    lease = await one.take(9006, await one.look(9006))
    assert lease is not None
    await one.release(lease)
    seen = await two.look(9006)
    assert (seen.holder, seen.expired) == (None, False)
    assert await two.take(9006, seen)


async def _owner(world: World, account: int) -> str | None:
    try:
        entry = await (await world.client.jetstream().key_value("account_leases")).get(str(account))
    except nats.js.errors.KeyNotFoundError:
        return None
    return str(json.loads(entry.value or b"{}").get("instance"))


async def test_two_gateways_share_the_accounts_and_each_has_one_owner(
    world: World, own_gateway: Callable[..., GatewayProcess]
) -> None:
    gateways = [own_gateway(), own_gateway()]
    await asyncio.gather(*(gateway.start() for gateway in gateways))
    accounts = [await world.account() for _ in range(4)]
    sent = [await world.broadcast(account, await world.people(10)) for account in accounts]
    for _, jobs in sent:
        await world.settled(jobs, 20)
    owners = [await _owner(world, account.id) for account in accounts]
    assert {owners.count(gateway.name) for gateway in gateways} == {2}
    for account in accounts:
        assert len(await world.accepted(account)) == 10


@pytest.mark.faults
async def test_a_hung_owner_is_replaced_and_never_sends_again(
    world: World, own_gateway: Callable[..., GatewayProcess]
) -> None:
    first = own_gateway()
    await first.start()
    account = await world.account(limits={"messages_per_second": 20})
    # Others, of earlier tests, would be shared out anew when the first gateway is back.
    await world.sql.execute("update control.telegram_accounts set status = 'disabled' where id <> $1", account.id)
    _, jobs = await world.broadcast(account, await world.people(150))
    await eventually(lambda: len(world.final(jobs)) > 10)
    second = own_gateway()
    await second.start()
    first.send(signal.SIGSTOP)

    async def replaced() -> bool:
        return await _owner(world, account.id) == second.name

    await eventually(replaced, 15)
    await eventually(lambda: len(world.final(jobs)) > 60, 15)
    first.send(signal.SIGCONT)
    events = await world.settled(jobs, 30)
    assert {event.state for event in events.values()} == {"sent"}
    texts = [one["text"] for one in await world.accepted(account)]
    assert len(texts) == len(set(texts)) == 150
    refused = (await world.sandbox.get("/stats"))["refused"]
    assert "AUTH_KEY_DUPLICATED" not in refused
    assert await _owner(world, account.id) == second.name


async def test_who_runs_an_account_is_known_as_long_as_it_does(
    world: World, own_gateway: Callable[..., GatewayProcess]
) -> None:
    account = await world.account()
    gateway = own_gateway()
    await gateway.start()

    async def run_by() -> str | None:
        found: str | None = await world.sql.fetchval(
            "select f.owner from telegram.fences f join telegram.gateways g on g.instance = f.owner"
            " where f.account_id = $1 and f.running",
            account.id,
        )
        return found

    async def runs() -> bool:
        return await run_by() == gateway.name

    await eventually(runs)
    await gateway.stop()
    assert await run_by() is None
    again = own_gateway()
    await again.start()

    async def taken_over() -> bool:
        return await run_by() == again.name

    await eventually(taken_over)
