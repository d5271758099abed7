"""Many streams, slow ones, and parts that are away: nobody holds up the others, and everybody goes on exactly."""

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import asyncpg
import httpx
import nats
import pytest

from relaygram_common.database.statements import Statements
from relaygram_local_stack.servers import NatsServer
from tests.api.served import Process, environment, is_ready, served_api, start
from tests.api.streams import Log, calling, heartbeat, make_campaign, metric, opened
from tests.support.servers import Database
from tests.support.waiting import eventually

SETTINGS = {
    "RELAYGRAM_STREAM_HEARTBEAT_SECONDS": "0.3",
    "RELAYGRAM_STREAM_SEND_SECONDS": "3",
    "RELAYGRAM_STREAMS_PER_TOKEN": "100",
}


@pytest.fixture(scope="module")
async def process(database: Database, provisioned_nats: NatsServer) -> AsyncIterator[Process]:
    """Streams in quick motion, and many of them."""
    async with served_api(database, provisioned_nats.url, **SETTINGS) as running:
        yield running


@pytest.fixture(scope="module")
async def client(process: Process) -> AsyncIterator[httpx.AsyncClient]:
    async with calling(process) as client:
        yield client


@pytest.fixture
async def log(client: httpx.AsyncClient, database: Database, provisioned_nats: NatsServer) -> AsyncIterator[Log]:
    connection = await nats.connect(provisioned_nats.url)
    try:
        yield Log(database, 1, await make_campaign(client), connection)
    finally:
        await connection.close()


async def test_many_streams_of_a_campaign_share_its_readings(
    client: httpx.AsyncClient, log: Log, process: Process
) -> None:
    async with (
        AsyncExitStack() as stack,
        httpx.AsyncClient(
            base_url=client.base_url, headers=client.headers, limits=httpx.Limits(max_connections=None), timeout=60
        ) as many,
    ):
        streams = [await stack.enter_async_context(opened(many, log.campaign_id)) for _ in range(60)]
        await asyncio.gather(*(heartbeat(stream) for stream in streams))
        before = await metric(process, "relaygram_log_stream_readings_total")
        for number in range(10):
            await log.write(f"text {number}")
            told = await asyncio.gather(*(stream.bodies(1) for stream in streams))
            assert told == [[f"text {number}"]] * len(streams)
        # One for each change, and one for each look of a second that found the change as well.
        assert await metric(process, "relaygram_log_stream_readings_total") - before < 60


def resident_bytes(pid: int) -> int:
    [line] = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS")]
    return int(line.split()[1]) * 1024


def is_reset(connection: socket.socket) -> bool:
    connection.settimeout(10)
    try:
        while connection.recv(65536):
            pass
    except ConnectionResetError:
        return True
    return False


async def test_a_client_that_does_not_read_is_cut_and_nothing_is_kept_for_it(log: Log, process: Process) -> None:
    for _ in range(10):
        await log.write(*("ü" * 2000 for _ in range(500)))  # 20 MB over the wire
    path = f"/api/v1/campaigns/{log.campaign_id}/logs/stream?changed_since="
    before, cut = resident_bytes(process.pid), await metric(process, 'relaygram_log_streams_ended_total{why="slow"}')
    clients = [socket.socket() for _ in range(20)]
    try:
        for number, one in enumerate(clients):
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            one.connect(("127.0.0.1", process.port))
            one.sendall(process.head("GET", f"{path}{number}", token=process.token))  # each has a page of its own
        most = before

        async def all_are_cut() -> bool:
            nonlocal most
            most = max(most, resident_bytes(process.pid))
            return await metric(process, 'relaygram_log_streams_ended_total{why="slow"}') - cut == len(clients)

        await eventually(all_are_cut, 60)
        assert most - before < 40 * 1024 * 1024, "400 MB were to be told"
        for one in clients:
            assert await asyncio.to_thread(is_reset, one)  # the system keeps nothing for it either
    finally:
        for one in clients:
            one.close()


async def test_who_reads_slowly_but_reads_gets_everything(client: httpx.AsyncClient, log: Log) -> None:
    await log.write(*("ü" * 2000 for _ in range(1000)))
    async with opened(client, log.campaign_id, params={"changed_since": 0}) as stream:
        for number in range(1000):
            if number % 50 == 0:
                await asyncio.sleep(0.1)
            assert await stream.event() is not None


async def test_without_nats_rows_come_by_the_look_of_each_second(
    client: httpx.AsyncClient, log: Log, provisioned_nats: NatsServer
) -> None:
    log = Log(log.database, log.workspace_id, log.campaign_id)
    async with opened(client, log.campaign_id) as stream:
        provisioned_nats.kill()
        try:
            for text in ("one", "two"):
                await log.write(text)
                async with asyncio.timeout(30):
                    assert await stream.bodies(1) == [text]
        finally:
            provisioned_nats.start()


async def test_a_process_that_stops_ends_its_streams_at_once(
    database: Database, provisioned_nats: NatsServer, process: Process, log: Log, free_port: Callable[[], int]
) -> None:
    await log.write(*("ü" * 2000 for _ in range(1000)))
    port, health_port = free_port(), free_port()
    settings = {**SETTINGS, "RELAYGRAM_STREAM_SEND_SECONDS": "60", "RELAYGRAM_SHUTDOWN_SECONDS": "30"}
    stopping = start({**environment(database, provisioned_nats.url, port, health_port), **settings})
    try:
        await eventually(lambda: is_ready(health_port), 20)
        other = Process(port, health_port, process.token, "", stopping.pid)
        path = f"/api/v1/campaigns/{log.campaign_id}/logs/stream?changed_since=0"
        with socket.socket() as unread:
            unread.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            unread.connect(("127.0.0.1", port))
            unread.sendall(other.head("GET", path, token=process.token))
            async with calling(other) as client, opened(client, log.campaign_id) as stream:
                await heartbeat(stream)
                begun = time.monotonic()
                stopping.terminate()
                assert await stream.event() is None  # the answer has an end: the connection was not just lost
            _, errors = await asyncio.to_thread(stopping.communicate, timeout=60)
        assert time.monotonic() - begun < 25, "it waited for its streams"
        assert stopping.returncode == 0
        assert b"ASGI" not in errors, errors.decode()
    finally:
        stopping.kill()


async def test_a_page_costs_the_same_however_much_follows_it(log: Log, database: Database) -> None:
    for _ in range(10):
        await log.write(*("x" * 100 for _ in range(1000)))
    settings = {"relaygram.workspace_id": str(log.workspace_id)}
    connection = await asyncpg.connect(database.api, server_settings=settings)
    try:
        newest = await connection.fetchval("select max(revision) from delivery.messages")
        statement = Statements("relaygram_api")["stream_page"]

        async def blocks(after: int) -> int:
            told = await connection.fetchval(
                f"explain (analyze, buffers, format json) {statement}", log.campaign_id, after, 200, 10**6
            )
            [plan] = told if isinstance(told, list) else json.loads(told)
            assert plan["Plan"]["Actual Rows"] == 200
            return int(plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"])

        at_the_end = [await blocks(newest - 200) for _ in range(2)][-1]
        assert await blocks(newest - 10_000) < 1.5 * at_the_end
    finally:
        await connection.close()


@pytest.mark.faults
async def test_without_postgresql_it_stays_open_and_goes_on(
    mortal_database: Database, provisioned_nats: NatsServer
) -> None:
    async with served_api(mortal_database, provisioned_nats.url, **SETTINGS) as process, calling(process) as client:
        log = Log(mortal_database, 1, await make_campaign(client))
        async with opened(client, log.campaign_id) as stream:
            await log.write("before")
            assert await stream.bodies(1) == ["before"]
            mortal_database.server.stop()
            try:
                for _ in range(10):
                    await heartbeat(stream)
                refused = await client.get(f"/campaigns/{log.campaign_id}/logs/stream")
                assert refused.status_code == 503
            finally:
                mortal_database.server.start()
            await log.write("after")
            async with asyncio.timeout(60):
                assert await stream.bodies(1) == ["after"]
