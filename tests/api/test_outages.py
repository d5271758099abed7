"""PostgreSQL away, NATS away: a clear answer within two seconds, and recovery by itself."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from relaygram_common.database import migrate
from relaygram_common.topology import provision
from relaygram_local_stack.servers import NatsServer, Postgres
from tests.api.support import Api, running_api
from tests.support.servers import Database
from tests.support.waiting import eventually, run_in_thread

NAME = "outage"


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Postgres:
    """A PostgreSQL that these tests may stop."""
    return Postgres(tmp_path_factory.mktemp("outage-postgres"), volatile=True)


@pytest.fixture(scope="module")
async def fragile(postgres: Postgres, nats_server: NatsServer) -> AsyncIterator[Api]:
    with postgres:
        postgres.ensure_database(NAME)
        migrate.upgrade(postgres.dsn(NAME))
        async with running_api(Database(postgres, NAME), nats_server.url, rate_limit_per_minute=100_000) as running:
            yield running


async def demand_unavailable(api: Api) -> None:
    for method, path in (("GET", "/campaigns"), ("POST", "/campaigns/1/start"), ("GET", "/campaigns/1/logs")):
        begun = time.monotonic()
        answer = await api.client.request(method, f"/api/v1{path}")
        assert answer.status_code == 503
        assert time.monotonic() - begun < 2.5
        assert int(answer.headers["Retry-After"]) >= 1
        assert answer.json()["code"] == "unavailable"


async def demand_recovery(api: Api) -> None:
    async def works() -> bool:
        return (await api.client.get("/api/v1/campaigns")).status_code == 200

    await eventually(works, 15)


async def test_with_postgresql_down_every_call_is_503_until_it_is_back(fragile: Api, postgres: Postgres) -> None:
    assert (await fragile.client.get("/api/v1/campaigns")).status_code == 200
    postgres.stop()
    try:
        await demand_unavailable(fragile)
        assert (await fragile.client.get("/api/v1/me", headers={"Authorization": "Bearer x"})).status_code == 401
    finally:
        postgres.start()
    await demand_recovery(fragile)


async def test_with_postgresql_hanging_every_call_is_503_until_it_goes_on(fragile: Api, postgres: Postgres) -> None:
    await demand_recovery(fragile)
    stopped = [pid for pid in _family(postgres.pid or 0) if _signal(pid, signal.SIGSTOP)]
    try:
        await asyncio.gather(*(demand_unavailable(fragile) for _ in range(20)))
    finally:
        for pid in stopped:
            _signal(pid, signal.SIGCONT)
    await demand_recovery(fragile)


async def test_without_nats_everything_works_and_commands_wait_in_the_outbox(
    tmp_path: Path, database: Database
) -> None:
    server = NatsServer(tmp_path)
    server.start()
    run_in_thread(provision(server.url))
    server.stop()
    async with running_api(database, server.url) as api:
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
