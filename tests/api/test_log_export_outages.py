"""Exports while PostgreSQL is away or hangs: they wait; then the file is seen to be broken, never silently short."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import httpx
import psycopg
import pytest

from relaygram_local_stack.servers import NatsServer, Postgres
from tests.api.exports import LONG_ROWS, exporting, long_log, nothing_is_under_way, positions
from tests.api.served import Process, served_api
from tests.api.streams import calling
from tests.support.servers import Database
from tests.support.waiting import eventually

HASTY = {"RELAYGRAM_EXPORT_RETRY_SECONDS": "1"}


@pytest.fixture(scope="module")
def database(mortal_database: Database) -> Database:
    return mortal_database


@pytest.fixture(scope="module")
async def hasty(database: Database, provisioned_nats: NatsServer) -> AsyncIterator[Process]:
    """One that soon gives up on PostgreSQL."""
    async with served_api(database, provisioned_nats.url, **HASTY) as running:
        yield running


@pytest.fixture(scope="module")
async def client(process: Process) -> AsyncIterator[httpx.AsyncClient]:
    async with calling(process) as client:
        yield client


@pytest.fixture(scope="module")
async def campaign(client: httpx.AsyncClient, database: Database) -> int:
    """A campaign with a long log, which nobody changes."""
    return await long_log(client, database)


async def works_again(client: httpx.AsyncClient) -> None:
    async def works() -> bool:
        return (await client.get("/campaigns")).status_code == 200

    await eventually(works)


@pytest.mark.parametrize("output", ["csv", "ndjson", "parquet"])
async def test_without_postgresql_for_too_long_the_transfer_breaks_off(
    hasty: Process, campaign: int, mortal_postgres: Postgres, output: str
) -> None:
    async with calling(hasty) as client:
        try:
            async with exporting(client, campaign, output) as answer:
                mortal_postgres.stop()
                with pytest.raises(httpx.TransportError):
                    await answer.aread()
        finally:
            mortal_postgres.start()
        await works_again(client)
    await nothing_is_under_way(hasty)


async def test_a_short_outage_costs_time_only(
    client: httpx.AsyncClient, campaign: int, mortal_postgres: Postgres
) -> None:
    async with exporting(client, campaign) as answer:
        pieces = []
        async for piece in answer.aiter_raw(1024 * 1024):
            pieces.append(piece)
            if len(pieces) == 3:
                mortal_postgres.kill()
                mortal_postgres.start()
    assert positions(b"".join(pieces).decode()) == list(range(1, LONG_ROWS + 1))


@asynccontextmanager
async def hanging(mortal_postgres: Postgres) -> AsyncIterator[None]:
    """All of PostgreSQL stands still."""
    with psycopg.connect(mortal_postgres.dsn(), autocommit=True) as connection:
        sessions = [pid for (pid,) in connection.execute("select pid from pg_stat_activity").fetchall()]
    stopped = [mortal_postgres.pid or 0, *sessions]
    for pid in stopped:
        signal_process(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in stopped:
            signal_process(pid, signal.SIGCONT)


def signal_process(pid: int, number: signal.Signals) -> None:
    """To one that may have ended."""
    with suppress(ProcessLookupError):
        os.kill(pid, number)


async def test_postgresql_that_hangs_for_a_while_costs_time_only(
    client: httpx.AsyncClient, campaign: int, mortal_postgres: Postgres
) -> None:
    async with exporting(client, campaign) as answer:
        async with hanging(mortal_postgres):
            await asyncio.sleep(3)  # longer than an answer may take
        text = (await answer.aread()).decode()
    assert positions(text) == list(range(1, LONG_ROWS + 1))


async def test_postgresql_that_hangs_for_too_long_breaks_the_transfer_off(
    hasty: Process, campaign: int, mortal_postgres: Postgres
) -> None:
    async with calling(hasty) as client:
        async with exporting(client, campaign) as answer, hanging(mortal_postgres):
            with pytest.raises(httpx.TransportError):
                await answer.aread()
        await works_again(client)
    await nothing_is_under_way(hasty)


async def test_a_file_broken_off_has_no_end(
    hasty: Process, client: httpx.AsyncClient, campaign: int, mortal_postgres: Postgres
) -> None:
    """Over the wire: no last chunk, so that no client of HTTP/1.1 takes the file for whole."""
    reader, writer = await asyncio.open_connection("127.0.0.1", hasty.port)
    path = f"/api/v1/campaigns/{campaign}/logs/export?format=csv"
    received = bytearray()

    async def read_on() -> None:
        while piece := await reader.read(65536):
            received.extend(piece)

    try:
        writer.write(hasty.head("GET", path, token=hasty.token))
        received += await reader.readuntil(b"\r\n\r\n")
        mortal_postgres.stop()
        with pytest.raises(ConnectionResetError):
            await read_on()
    finally:
        mortal_postgres.start()
        writer.close()
    assert received.startswith(b"HTTP/1.1 200")
    assert b"transfer-encoding: chunked" in received[:2000].lower()
    assert not received.endswith(b"0\r\n\r\n")
    await works_again(client)
