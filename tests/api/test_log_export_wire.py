"""Exports over real sockets: slow clients, lost ones, limits; what comes and goes in the log meanwhile."""

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import httpx
import pytest

from relaygram_common import identity
from relaygram_local_stack.servers import NatsServer
from tests.api.exports import LONG_ROWS, exporting, fill, long_log, nothing_is_under_way, positions
from tests.api.log_rows import row, write_rows
from tests.api.served import Process, served_api
from tests.api.streams import calling, execute, make_campaign, metric
from tests.api.support import EMAIL
from tests.support.servers import Database
from tests.support.waiting import eventually

FEW = {"RELAYGRAM_EXPORTS_PER_TOKEN": "2", "RELAYGRAM_MAX_EXPORTS": "3"}
MEGABYTE = 1024 * 1024
HASTY = {"RELAYGRAM_EXPORT_SEND_SECONDS": "1"}


@pytest.fixture(scope="module")
async def process(database: Database, provisioned_nats: NatsServer) -> AsyncIterator[Process]:
    async with served_api(database, provisioned_nats.url, **FEW) as running:
        yield running


@pytest.fixture(scope="module")
async def hasty(process: Process, database: Database, provisioned_nats: NatsServer) -> AsyncIterator[Process]:
    """One that soon gives up on clients."""
    async with served_api(database, provisioned_nats.url, **HASTY) as running:
        yield running


@pytest.fixture(scope="module")
async def client(process: Process) -> AsyncIterator[httpx.AsyncClient]:
    async with calling(process) as client:
        yield client


@pytest.fixture(scope="module")
async def workspace(client: httpx.AsyncClient) -> int:
    found: int = (await client.get("/me")).json()["data"]["workspace"]["id"]
    return found


@pytest.fixture(scope="module")
async def campaign(client: httpx.AsyncClient, database: Database) -> int:
    """A campaign with a long log, which nobody changes."""
    return await long_log(client, database)


@pytest.fixture
async def changing(client: httpx.AsyncClient, database: Database) -> int:
    """One that the test changes."""
    return await long_log(client, database)


async def test_a_slow_client_holds_nothing_in_postgresql_and_gets_all(
    client: httpx.AsyncClient, campaign: int, database: Database
) -> None:
    watching = await asyncpg.connect(database.dsn)
    busy = "select count(*) from pg_stat_activity where usename = 'relaygram_api' and xact_start is not null"

    async def nobody() -> bool:
        found: int = await watching.fetchval(busy)
        return found == 0

    try:
        async with exporting(client, campaign) as answer:
            pieces = []
            async for piece in answer.aiter_raw(1024 * 1024):
                pieces.append(piece)
                if len(pieces) in (2, 10, 30):
                    await eventually(nobody, 5)  # while it waits for us
    finally:
        await watching.close()
    assert positions(b"".join(pieces).decode()) == list(range(1, LONG_ROWS + 1))


async def test_a_client_that_stands_still_is_cut_off(hasty: Process, campaign: int) -> None:
    before = await metric(hasty, 'relaygram_log_exports_ended_total{format="csv",why="slow"}')
    still = socket.socket()
    try:
        still.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        still.connect(("127.0.0.1", hasty.port))
        path = f"/api/v1/campaigns/{campaign}/logs/export"
        still.sendall(hasty.head("GET", path, token=hasty.token))

        async def is_cut() -> bool:
            return await metric(hasty, 'relaygram_log_exports_ended_total{format="csv",why="slow"}') == before + 1

        await eventually(is_cut)
        assert await asyncio.to_thread(is_reset, still)
    finally:
        still.close()


def is_reset(connection: socket.socket) -> bool:
    """Whether what comes ends with a reset."""
    connection.settimeout(20)
    try:
        while connection.recv(65536):
            continue
    except ConnectionResetError:
        return True
    return False


async def test_a_client_that_leaves_ends_its_export(process: Process, campaign: int) -> None:
    before = await metric(process, 'relaygram_log_exports_ended_total{format="ndjson",why="left"}')
    async with calling(process) as leaving, exporting(leaving, campaign) as answer:
        async for _ in answer.aiter_raw(1024):
            break

    async def is_known() -> bool:
        return await metric(process, 'relaygram_log_exports_ended_total{format="ndjson",why="left"}') == before + 1

    await eventually(is_known)
    await nothing_is_under_way(process)


async def test_rows_that_come_later_are_not_in_it(
    client: httpx.AsyncClient, changing: int, database: Database, workspace: int
) -> None:
    async with exporting(client, changing) as answer:
        await write_rows(database, workspace, [row(changing, "sent", body="late", telegram_message_id=0)])
        text = (await answer.aread()).decode()
    assert positions(text) == list(range(1, LONG_ROWS + 1))


async def test_rows_that_retention_takes_meanwhile_are_left_out_and_no_others(
    client: httpx.AsyncClient, changing: int, database: Database
) -> None:
    async with exporting(client, changing) as answer:
        for last in range(LONG_ROWS // 10, LONG_ROWS, LONG_ROWS // 10):
            await execute(
                database, "delete from delivery.messages where campaign_id = $1 and position <= $2", changing, last
            )
            counters = "update delivery.campaign_counters set first_position = $2 where campaign_id = $1"
            await execute(database, counters, changing, last + 1)
        text = (await answer.aread()).decode()
    found = positions(text)
    assert found == sorted(set(found))
    assert found[:100] == list(range(1, 101))  # read before
    assert found[-LONG_ROWS // 10 :] == list(range(LONG_ROWS - LONG_ROWS // 10 + 1, LONG_ROWS + 1))
    async with exporting(client, changing) as answer:
        assert positions((await answer.aread()).decode()) == list(range(LONG_ROWS - LONG_ROWS // 10 + 1, LONG_ROWS + 1))


async def test_few_at_once_for_a_token_and_for_all(
    process: Process, client: httpx.AsyncClient, campaign: int, database: Database
) -> None:
    await nothing_is_under_way(process)
    path = f"/campaigns/{campaign}/logs/export"
    other = await identity.create_token(database.dsn, EMAIL, "other", ["logs:read"])
    async with exporting(client, campaign), exporting(client, campaign), calling(process, other) as another:
        refused = await client.get(path)
        assert (refused.status_code, refused.json()["code"]) == (429, "too_many_requests")
        assert int(refused.headers["Retry-After"]) >= 1
        async with exporting(another, campaign):
            full = await another.get(path)
            assert (full.status_code, full.json()["code"]) == (503, "too_many_exports")
            assert int(full.headers["Retry-After"]) >= 1
    await nothing_is_under_way(process)
    async with exporting(client, campaign) as answer:
        assert len(positions((await answer.aread()).decode())) == LONG_ROWS


async def test_an_export_ends_with_its_token(
    process: Process, client: httpx.AsyncClient, campaign: int, database: Database
) -> None:
    token = await identity.create_token(database.dsn, EMAIL, "short", ["logs:read"])

    async def read_on(pieces: AsyncIterator[bytes]) -> None:
        async for _ in pieces:
            await asyncio.sleep(0.05)  # a client that takes its time: 10 s for all

    async with calling(process, token) as bearer, exporting(bearer, campaign) as answer:
        pieces = answer.aiter_raw(256 * 1024)
        await anext(pieces)
        ended = await client.delete(f"/tokens/{token.partition('|')[0]}")
        assert ended.status_code == 204
        with pytest.raises(httpx.TransportError):
            await read_on(pieces)


async def test_texts_that_grow_are_read_in_smaller_parts(
    process: Process, client: httpx.AsyncClient, database: Database, workspace: int
) -> None:
    campaign = await make_campaign(client)
    await fill(database, workspace, campaign, last=15_000, body=1)
    await fill(database, workspace, campaign, first=15_001, last=19_000, body=16_000)  # 64 MB
    before = forget_peak(process.pid)
    async with exporting(client, campaign) as answer:
        assert positions((await answer.aread()).decode()) == list(range(1, 19_001))
    assert peak_bytes(process.pid) - before < 50 * MEGABYTE, "it had 64 MB to tell"


def peak_bytes(pid: int) -> int:
    """The most memory that the process has had since the peak was forgotten."""
    return _memory(pid, "VmHWM")


def forget_peak(pid: int) -> int:
    """From now on; the memory that it has now."""
    Path(f"/proc/{pid}/clear_refs").write_text("5", encoding="ascii")
    return _memory(pid, "VmRSS")


def _memory(pid: int, what: str) -> int:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(status.partition(f"{what}:")[2].split()[0]) * 1024


async def test_memory_does_not_grow_with_the_rows(
    process: Process, client: httpx.AsyncClient, campaign: int, database: Database, workspace: int
) -> None:
    shorter = await make_campaign(client)
    await fill(database, workspace, shorter, last=LONG_ROWS // 4, body=2_000)
    peaks = []
    for log in (shorter, campaign):
        forget_peak(process.pid)
        for output in ("csv", "ndjson"):
            async with exporting(client, log, output) as answer:
                async for _ in answer.aiter_raw():
                    continue
        peaks.append(peak_bytes(process.pid))
    assert peaks[1] - peaks[0] < 15 * MEGABYTE, "it had 40 MB more to tell"
