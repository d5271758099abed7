"""kill -9 in the middle of a broadcast: nothing lost, nothing doubled, with a Telegram that forgets within 5 s."""

import asyncio
from collections.abc import Callable

import pytest

from relaygram_common.contracts.jobs import SendJob
from tests.gateway.gateways import GatewayProcess
from tests.gateway.world import Account, World
from tests.support.waiting import eventually

pytestmark = pytest.mark.faults
PEOPLE = 400


async def _broadcast(world: World, rate: int | None) -> tuple[Account, list[SendJob]]:
    account = await world.account(limits={"messages_per_second": rate})
    _, jobs = await world.broadcast(account, await world.people(PEOPLE), "Once {{first_name}}")
    await eventually(lambda: len(world.final(jobs)) > PEOPLE / 5, 20)
    assert len(world.final(jobs)) < PEOPLE
    return account, jobs


async def _each_once(world: World, account: Account, jobs: list[SendJob]) -> None:
    events = await world.settled(jobs, 60)
    assert {event.state for event in events.values()} == {"sent"}
    texts = [one["text"] for one in await world.accepted(account)]
    assert len(texts) == PEOPLE
    assert len(set(texts)) == PEOPLE
    await world.queue_is_empty(jobs[0].campaign_id)


@pytest.mark.parametrize("rate", [150, None])
async def test_the_gateway_is_killed(
    world: World, own_gateway: Callable[..., GatewayProcess], rate: int | None
) -> None:
    gateway = own_gateway()
    await gateway.start()
    # Slow answers: some messages are accepted whose answers nobody lives to hear.
    slow = {"name": "slow", "method": "messages.sendMessage", "action": {"delay_seconds": 0.15}}
    await world.sandbox.post("/faults", slow)
    account, jobs = await _broadcast(world, rate)
    await gateway.kill()
    await gateway.start()
    await _each_once(world, account, jobs)
    await world.sandbox.request("DELETE", "/faults")


async def test_the_gateway_is_killed_between_send_and_record(
    world: World, own_gateway: Callable[..., GatewayProcess]
) -> None:
    """PostgreSQL holds the write up, so that Telegram has what the ledger does not know of; and Telegram forgets."""
    gateway = own_gateway()
    await gateway.start()
    account = await world.account()
    campaign = await world.campaign(account, "Once {{first_name}}", status="paused")
    jobs = world.jobs(account, campaign, await world.contacts(campaign, await world.people(30)))
    await world.publish(jobs)
    await world.sql.execute("select pg_advisory_lock(4711)")
    await world.sql.execute(
        "create function public.hold() returns trigger language plpgsql as"
        " $$ begin if new.state = 'accepted' then perform pg_advisory_xact_lock(4711); end if; return new; end $$"
    )
    await world.sql.execute(
        "create trigger hold before update on telegram.sends for each row execute function public.hold()"
    )
    await world.move(campaign, "start")

    async def accepted_unknown_to_us() -> bool:
        return len(await world.accepted(account)) == 30

    await eventually(accepted_unknown_to_us)
    await gateway.kill()
    await world.sql.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'telegram-gateway'"
    )
    await world.sql.execute("drop trigger hold on telegram.sends")
    await world.sql.execute("select pg_advisory_unlock(4711)")
    assert (
        await world.sql.fetchval(
            "select count(*) from telegram.sends where campaign_id = $1 and state = 'accepted'", campaign
        )
        == 0
    )
    await asyncio.sleep(5)  # Telegram forgets the random_ids: only time does that
    await gateway.start()
    events = await world.settled(jobs, 30)
    assert {event.state for event in events.values()} == {"sent"}
    ids = sorted(one["id"] for one in await world.accepted(account))
    assert len(ids) == 30
    assert sorted(event.telegram_message_id or 0 for event in events.values()) == ids


async def test_telegram_is_killed(world: World, own_gateway: Callable[..., GatewayProcess]) -> None:
    gateway = own_gateway()
    await gateway.start()
    account, jobs = await _broadcast(world, 150)
    await world.sandbox.kill()
    await asyncio.sleep(3)  # away for longer than a random_id is trusted
    await world.sandbox.start()
    await _each_once(world, account, jobs)


async def test_nats_is_killed(world: World, own_gateway: Callable[..., GatewayProcess]) -> None:
    gateway = own_gateway(lease_seconds=8, lease_margin_seconds=1)
    await gateway.start()
    account, jobs = await _broadcast(world, 150)
    await asyncio.to_thread(world.nats.kill)
    await asyncio.sleep(1)
    await asyncio.to_thread(world.nats.start)
    await world.publisher.reconnected()
    await _no_event_is_needed(world, account, jobs)


async def _no_event_is_needed(world: World, account: Account, jobs: list[SendJob]) -> None:
    """Our own subscription may have missed events while NATS was away: ask the ledger and Telegram."""

    async def decided() -> bool:
        found = await world.sql.fetchval(
            "select count(*) from telegram.sends where campaign_id = $1 and state = 'accepted'", jobs[0].campaign_id
        )
        return bool(found == PEOPLE)

    await eventually(decided, 60)
    texts = [one["text"] for one in await world.accepted(account)]
    assert len(texts) == len(set(texts)) == PEOPLE
    await world.queue_is_empty(jobs[0].campaign_id)
    info = await world.client.jetstream().stream_info(
        "DELIVERY_EVENTS", subjects_filter=f"delivery.event.*.telegram.sent.{jobs[0].campaign_id}"
    )
    assert sum((info.state.subjects or {}).values()) >= PEOPLE
