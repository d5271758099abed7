"""Bridge, api and NATS are killed while a gateway reports: no report is lost, none is doubled."""

import asyncio
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from functools import partial
from uuid import UUID, uuid5

import httpx
import pytest

from relaygram_common import identity
from relaygram_local_stack import ports
from relaygram_local_stack.servers import NatsServer
from tests.api.served import environment, is_ready, start
from tests.api.support import EMAIL
from tests.examples.running_bridge import SECRET, bridge, report
from tests.log_writer.running import Bench, bench, log_writer
from tests.support.servers import Database
from tests.support.waiting import eventually

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]
MESSAGES = 200
STATES = ("SENT", "DELIVERED")
NAME_SPACE = UUID("0d4f3b8c-6c5a-4b0e-9a41-5b1f2c7d8e90")  # the bridge's


class Victim:
    """A process that is killed and started again at the same place."""

    def __init__(self, make: Callable[[], "subprocess.Popen[bytes]"]) -> None:
        self._make = make
        self._running = make()

    def kill(self) -> None:
        """As the kernel would."""
        self._running.kill()
        self._running.wait()

    def start(self) -> None:
        """Again."""
        self._running = self._make()


@contextmanager
def bridges(api_url: str, token: str, port: int) -> Iterator[Victim]:
    with ExitStack() as stack:
        victim = Victim(lambda: stack.enter_context(bridge(api_url, token, port)))
        yield victim


@asynccontextmanager
async def apis(database: Database, nats_url: str, port: int, health_port: int) -> AsyncIterator[Victim]:
    env = environment(database, nats_url, port, health_port)
    victim = Victim(lambda: start(env, errors=subprocess.DEVNULL))
    try:
        await eventually(lambda: is_ready(health_port))
        yield victim
    finally:
        victim.kill()


class Gateway:
    """Reports what happens to its messages, each until it is told that it was heard."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client
        self._at_once = asyncio.Semaphore(20)
        self.heard = 0

    def has_heard(self, reports: int) -> bool:
        """Whether so many were heard already."""
        return self.heard >= reports

    async def report(self, number: int, status: str) -> None:
        """Once, or as often as it takes."""
        told = report(number, status)
        async with self._at_once:
            await eventually(lambda: self._is_heard(told), 120)
        self.heard += 1

    async def _is_heard(self, told: dict[str, object]) -> bool:
        try:
            answer = await self._client.post("/reports", json=told)
        except httpx.TransportError:
            return False
        assert answer.status_code in (200, 503)
        return answer.status_code == 200


async def test_kills_lose_and_double_nothing(database: Database, provisioned_nats: NatsServer) -> None:
    await identity.bootstrap(database.dsn, workspace="first", email=EMAIL)
    token = await identity.create_token(database.dsn, EMAIL, "bridge", ["events:write"])
    taken: set[int] = set()
    for _ in range(3):
        taken.add(ports.free_port(frozenset(taken)))
    api_port, health_port, port = taken
    async with (
        log_writer(provisioned_nats.url, database.log_writer),
        bench(provisioned_nats.url, database.dsn) as outside,
        apis(database, provisioned_nats.url, api_port, health_port) as api,
        httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}", headers={"X-Bridge-Secret": SECRET}, timeout=30
        ) as client,
    ):
        with bridges(f"http://127.0.0.1:{api_port}", token, port) as bridge_process:
            gateway = Gateway(client)
            victims = (api, bridge_process, provisioned_nats, bridge_process, api, provisioned_nats)
            await asyncio.gather(
                *(gateway.report(number, status) for number in range(MESSAGES) for status in STATES),
                kill_one_after_another(gateway, victims),
            )
        await eventually(lambda: is_ready(health_port))
        await is_exact(outside)


async def kill_one_after_another(gateway: Gateway, victims: tuple[Victim | NatsServer, ...]) -> None:
    """Whenever some more reports were heard."""
    for number, victim in enumerate(victims, start=1):
        goal = number * MESSAGES * len(STATES) // (len(victims) + 1)
        await eventually(partial(gateway.has_heard, goal), 120)
        await asyncio.to_thread(victim.kill)
        await asyncio.to_thread(victim.start)


async def is_exact(outside: Bench) -> None:
    """One row for each message, as far as it was reported, and nothing else."""

    async def relayed() -> bool:
        return not await outside.connection.fetchval("select count(*) from control.outbox")

    await eventually(relayed, 60)
    await outside.drained()
    rows = await outside.connection.fetch("select job_id, state from delivery.messages")
    wanted = {uuid5(NAME_SPACE, f"sms/msg-{number}") for number in range(MESSAGES)}
    assert len(rows) == MESSAGES
    assert {row["job_id"] for row in rows} == wanted
    assert {row["state"] for row in rows} == {"delivered"}
    events = "select count(*) from control.taken_events"
    assert await outside.connection.fetchval(events) == MESSAGES * len(STATES)
    assert (await outside.client.jetstream().stream_info("DEAD_LETTERS")).state.messages == 0
