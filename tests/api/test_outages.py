"""PostgreSQL away, NATS away: a clear answer within two seconds, and recovery by itself."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import nats
import pytest

from relaygram_common.topology import provision
from relaygram_local_stack.servers import NatsServer, Postgres
from tests.api.calls import CLOSED
from tests.api.support import Api, running_api
from tests.support.servers import Database
from tests.support.waiting import eventually, run_in_thread

_TELL_OF_BODIES = {"create_token", "connect_telegram_account", "suppress_people", "erase_person"}


@pytest.fixture(scope="module")
async def fragile(mortal_database: Database, nats_server: NatsServer) -> AsyncIterator[Api]:
    async with running_api(
        mortal_database, nats_server.url, rate_limit_per_minute=100_000, database_answer_seconds=1.8
    ) as running:
        yield running


async def demand_unavailable(api: Api) -> None:
    for method, path in (("GET", "/campaigns"), ("POST", "/campaigns/1/start"), ("GET", "/campaigns/1/logs")):
        begun = time.monotonic()
        answer = await api.client.request(method, f"/api/v1{path}")
        assert answer.status_code == 503
        assert time.monotonic() - begun < 2.5
        assert int(answer.headers["Retry-After"]) >= 1
        assert answer.json()["code"] == "unavailable"


async def demand_every_route_unavailable(api: Api) -> None:
    """Each of them at once, as in life."""
    things = {name: 1 for call in CLOSED for name in call.parameters} | {"job_id": uuid4()}
    begun = time.monotonic()
    answers = await asyncio.gather(*(call.make(api.client, things) for call in CLOSED))
    # Two seconds each; all of them at once, and this machine's other work, take their time too.
    assert time.monotonic() - begun < 6
    statuses = {call.name: answer.status_code for call, answer in zip(CLOSED, answers, strict=True)}
    # What is wrong with a body can, for a token known from a moment ago, be told without the database.
    assert {name for name, status in statuses.items() if status != 503} <= _TELL_OF_BODIES, statuses
    assert all(int(answer.headers["Retry-After"]) >= 1 for answer in answers if answer.status_code == 503)
    credentials = {"email": api.email, "password": api.password, "device_name": "x"}
    await api.call("POST", "/login", status=503, json=credentials)
    keyed = {"Idempotency-Key": "during-the-outage"}
    await api.call("POST", "/tokens", status=503, json={"name": "x"}, headers=keyed)


async def demand_recovery(api: Api) -> None:
    async def works() -> bool:
        return (await api.client.get("/api/v1/campaigns")).status_code == 200

    await eventually(works, 15)


async def test_with_postgresql_down_every_call_is_503_until_it_is_back(fragile: Api, mortal_postgres: Postgres) -> None:
    assert (await fragile.client.get("/api/v1/campaigns")).status_code == 200
    mortal_postgres.stop()
    try:
        await demand_unavailable(fragile)
        await demand_every_route_unavailable(fragile)
        assert (await fragile.client.get("/api/v1/me", headers={"Authorization": "Bearer x"})).status_code == 401
    finally:
        mortal_postgres.start()
    await demand_recovery(fragile)
    # What was refused under a key was not done, and is done now.
    keyed = {"Idempotency-Key": "during-the-outage"}
    await fragile.call("POST", "/tokens", status=201, json={"name": "x"}, headers=keyed)


async def test_with_postgresql_hanging_every_call_is_503_until_it_goes_on(
    fragile: Api, mortal_postgres: Postgres
) -> None:
    await demand_recovery(fragile)
    stopped = [pid for pid in _family(mortal_postgres.pid or 0) if _signal(pid, signal.SIGSTOP)]
    try:
        await asyncio.gather(*(demand_unavailable(fragile) for _ in range(20)))
        await demand_every_route_unavailable(fragile)
    finally:
        for pid in stopped:
            _signal(pid, signal.SIGCONT)
    await demand_recovery(fragile)


@pytest.mark.faults
async def test_postgresql_killed_in_the_middle_of_everything_is_never_a_500(
    fragile: Api, mortal_postgres: Postgres
) -> None:
    await demand_recovery(fragile)
    account_id = await fragile.account()
    seen: set[int] = set()
    seen_lately: set[int] = set()
    running = True

    async def keep_asking(number: int) -> None:
        body = {"name": "x", "mode": "broadcast", "body": "x", "telegram_account_id": account_id}
        keyed = {"Idempotency-Key": f"k{number}"}
        while running:
            answers = (
                await fragile.client.get("/api/v1/campaigns"),
                await fragile.client.post("/api/v1/campaigns", json=body),
                await fragile.client.post("/api/v1/tokens", json={"name": "x"}, headers=keyed),
            )
            for known in (seen, seen_lately):
                known.update(answer.status_code for answer in answers)

    async def saw(*statuses: int) -> None:
        seen_lately.clear()
        await eventually(lambda: {*statuses} <= seen_lately, 20, what=f"answers {statuses}")

    async with asyncio.TaskGroup() as tasks:
        for number in range(12):
            tasks.create_task(keep_asking(number))
        for _ in range(2):
            await saw(200, 201)
            mortal_postgres.kill()
            await saw(503)
            mortal_postgres.start()
        await saw(200, 201)
        running = False
    # 409: the first request with a key may have been on its way when the server died.
    assert seen <= {200, 201, 409, 503}


async def test_reads_work_and_commands_arrive_when_nats_dies_and_comes_back(tmp_path: Path, database: Database) -> None:
    with NatsServer(tmp_path) as server:
        await provision(server.url)
        async with running_api(
            database, server.url, email="mid@example.com", workspace="mid", database_answer_seconds=1.8
        ) as api:
            campaign = await api.broadcast()
            await eventually(lambda: _is_relayed(api), 20)
            server.kill()
            things = {"campaign_id": campaign["id"], "account_id": campaign["telegram_account_id"]}
            for call in CLOSED:
                if call.method == "GET" and set(call.parameters) <= things.keys():
                    assert (await call.make(api.client, things)).status_code == 200, call.path
            for action, status in (("start", "running"), ("pause", "paused"), ("stop", "stopped")):
                assert (await api.data("POST", f"/campaigns/{campaign['id']}/{action}"))["status"] == status
            assert not await _is_relayed(api)
            server.start()
            await eventually(lambda: _is_relayed(api), 30)
        broker = await nats.connect(server.url)
        try:
            last = await broker.jetstream().get_last_msg("CAMPAIGN_COMMANDS", f"campaign.command.*.*.{campaign['id']}")
            assert last.subject
        finally:
            await broker.close()


async def _is_relayed(api: Api) -> bool:
    return bool(await api.sql("select count(*) = 0 from control.outbox"))


async def test_without_nats_everything_works_and_commands_wait_in_the_outbox(
    tmp_path: Path, database: Database
) -> None:
    server = NatsServer(tmp_path)
    server.start()
    run_in_thread(provision(server.url))
    server.stop()
    async with running_api(database, server.url, database_answer_seconds=1.8) as api:
        campaign = await api.broadcast()
        assert (await api.data("POST", f"/campaigns/{campaign['id']}/start"))["status"] == "running"
        assert await api.sql("select count(*) from control.outbox") > 0
        with server:

            async def is_empty() -> bool:
                return bool(await api.sql("select count(*) = 0 from control.outbox"))

            await eventually(is_empty, 20)


def _family(root: int) -> list[int]:
    """A process and all below it."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
            except OSError:
                continue
            parents.setdefault(int(stat.rpartition(")")[2].split()[1]), []).append(int(entry.name))
    family = [root]
    for pid in family:
        family += parents.get(pid, [])
    return family


def _signal(pid: int, number: int) -> bool:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True
