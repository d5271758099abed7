"""Accounts move as gateways come and go, and nobody hears anything twice for it."""

import asyncio
import contextlib
import json
import signal
import time
from collections import Counter
from collections.abc import Callable

import pytest
from nats.js.errors import KeyNotFoundError

from relaygram_common.contracts.jobs import SendJob
from relaygram_common.topology import provision_on
from tests.gateway.gateways import GatewayProcess
from tests.gateway.world import Account, World
from tests.support.waiting import eventually

pytestmark = pytest.mark.faults


async def _owners(world: World) -> dict[int, str]:
    bucket = await world.client.jetstream().key_value("account_leases")
    found = {}
    for row in await world.sql.fetch("select id from control.telegram_accounts where status = 'active'"):
        with contextlib.suppress(KeyNotFoundError):
            entry = await bucket.get(str(row["id"]))
            found[row["id"]] = str(json.loads(entry.value or b"{}").get("instance"))
    return found


async def _spread(world: World, accounts: list[Account], *gateways: GatewayProcess) -> list[int]:
    """How many of these accounts each of these gateways runs."""
    owners = await _owners(world)
    counted = Counter(owners.get(account.id) for account in accounts)
    return [counted[gateway.name] for gateway in gateways]


async def _each_once(world: World, sent: list[tuple[Account, list[SendJob]]]) -> None:
    for account, jobs in sent:
        events = await world.settled(jobs, 60)
        assert {event.state for event in events.values()} == {"sent"}
        texts = [one["text"] for one in await world.accepted(account)]
        assert len(texts) == len(set(texts)) == len(jobs)
    assert "AUTH_KEY_DUPLICATED" not in (await world.sandbox.get("/stats"))["refused"]


async def _end(world: World, accounts: list[Account]) -> None:
    """The next test counts its own accounts only."""
    await world.sql.execute(
        "update control.telegram_accounts set status = 'disabled' where id = any ($1)", [one.id for one in accounts]
    )


async def _broadcasts(world: World, accounts: list[Account], people: int) -> list[tuple[Account, list[SendJob]]]:
    known = await world.people(people)
    return [(account, (await world.broadcast(account, known))[1]) for account in accounts]


async def test_accounts_spread_evenly_and_move_as_gateways_come_and_go(
    world: World, own_gateway: Callable[..., GatewayProcess]
) -> None:
    """2 → 3 → 1 gateways while 6 accounts send; a session used twice would be ended by Telegram (strict_sessions)."""
    one, two, three = (own_gateway(lease_seconds=4, lease_margin_seconds=1) for _ in range(3))
    await one.start()
    accounts = [await world.account(limits={"messages_per_second": 5}) for _ in range(6)]
    sent = await _broadcasts(world, accounts, 150)

    async def spread(*expected: int, over: tuple[GatewayProcess, ...]) -> bool:
        assert await _spread(world, accounts, *over) == list(expected)
        return True

    await eventually(lambda: spread(6, over=(one,)))
    await two.start()
    await eventually(lambda: spread(3, 3, over=(one, two)), 15)
    await three.start()
    await eventually(lambda: spread(2, 2, 2, over=(one, two, three)), 15)
    moved = [await gateway.metric("relaygram_gateway_handed_on_total") for gateway in (one, two, three)]
    assert sum(moved) == 5  # 3 and then 2: as few as can be
    settled_at = time.monotonic()
    while time.monotonic() - settled_at < 5:
        assert await _spread(world, accounts, one, two, three) == [2, 2, 2]  # and no ping-pong
        await asyncio.sleep(0.1)
    await asyncio.gather(one.stop(), three.stop())
    await eventually(lambda: spread(6, over=(two,)), 15)
    await _each_once(world, sent)
    await _end(world, accounts)


async def test_a_killed_gateway_is_replaced_within_15_seconds(
    world: World, own_gateway: Callable[..., GatewayProcess]
) -> None:
    """With the lease that is the default."""
    one, two = (own_gateway(lease_seconds=8, lease_margin_seconds=1, accounts_poll_seconds=1) for _ in range(2))
    await one.start()
    account = await world.account(limits={"messages_per_second": 10})
    ((_, jobs),) = sent = await _broadcasts(world, [account], 200)
    await eventually(lambda: len(world.final(jobs)) > 20)
    await two.start()
    await one.kill()
    killed_at = time.monotonic()
    before = len(world.final(jobs))
    await eventually(lambda: len(world.final(jobs)) > before + 20, 20)
    assert time.monotonic() - killed_at < 15
    await _each_once(world, sent)
    await _end(world, [account])


@pytest.mark.parametrize("restored", ["by the gateways", "by relaygram provision"])
async def test_a_lost_lease_bucket_costs_time_only(
    world: World, own_gateway: Callable[..., GatewayProcess], restored: str
) -> None:
    gateways = [own_gateway(lease_seconds=4, lease_margin_seconds=1) for _ in range(2)]
    await asyncio.gather(*(gateway.start() for gateway in gateways))
    accounts = [await world.account(limits={"messages_per_second": 10}) for _ in range(4)]
    sent = await _broadcasts(world, accounts, 100)
    await eventually(lambda: all(len(world.final(jobs)) > 20 for _, jobs in sent))
    js = world.client.jetstream()
    await js.delete_stream("KV_account_leases")
    if restored == "by relaygram provision":
        await provision_on(js)
    counts = [len(world.final(jobs)) for _, jobs in sent]
    began = time.monotonic()
    await eventually(
        lambda: all(len(world.final(jobs)) > before + 10 for before, (_, jobs) in zip(counts, sent, strict=True)), 15
    )
    assert time.monotonic() - began < 4 + 1 + 3  # one TTL and its margin, and a moment
    await _each_once(world, sent)
    owners = await _owners(world)
    assert {owners.get(account.id) for account in accounts} <= {gateway.name for gateway in gateways}
    await _end(world, accounts)


async def test_a_gateway_that_joins_after_the_bucket_was_lost_waits_for_the_old_leases(
    world: World, own_gateway: Callable[..., GatewayProcess]
) -> None:
    """The free keys of a new bucket prove nothing: their owners may not have noticed yet."""
    one, two = (own_gateway(lease_seconds=6, lease_margin_seconds=1) for _ in range(2))
    await one.start()
    account = await world.account(limits={"messages_per_second": 20})
    sent = await _broadcasts(world, [account], 200)
    await eventually(lambda: len(world.final(sent[0][1])) > 20)
    js = world.client.jetstream()
    await js.delete_stream("KV_account_leases")
    await provision_on(js)
    await two.start()
    await _each_once(world, sent)
    await _end(world, [account])


async def test_whoever_hangs_never_sends_after_another_took_over(
    world: World, own_gateway: Callable[..., GatewayProcess]
) -> None:
    """SIGSTOP and SIGCONT in turns, at full speed: strict_sessions ends the session for a message of the old owner."""
    gateways = {gateway.name: gateway for gateway in (own_gateway(), own_gateway())}
    await asyncio.gather(*(gateway.start() for gateway in gateways.values()))
    account = await world.account(limits={"messages_per_second": 40})
    sent = await _broadcasts(world, [account], 600)
    jobs = sent[0][1]

    async def owner() -> str | None:
        return (await _owners(world)).get(account.id)

    for _ in range(3):
        before = len(world.final(jobs))
        await eventually(lambda: len(world.final(jobs)) > before + 20, 20)  # noqa: B023 - called at once
        hung = str(await eventually(owner))
        gateways[hung].send(signal.SIGSTOP)

        async def replaced() -> bool:
            return await owner() not in (None, hung)  # noqa: B023 - called at once

        await eventually(replaced, 15)
        before = len(world.final(jobs))
        await eventually(lambda: len(world.final(jobs)) > before + 20, 20)  # noqa: B023 - called at once
        gateways[hung].send(signal.SIGCONT)
        await eventually(gateways[hung].is_ready, 15)
    await _each_once(world, sent)
    seen = (await world.sandbox.get("/stats"))["accounts"][str(account.person["id"])]
    assert seen["max_in_one_second"] <= 40
    await _end(world, [account])
