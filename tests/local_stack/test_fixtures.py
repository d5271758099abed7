"""The shared fixtures give what the top of tests/support/servers.py promises."""

import time
from collections.abc import Callable

import asyncpg
import nats
import pytest

from relaygram_local_stack.servers import NatsServer
from tests.support.servers import Database
from tests.support.waiting import eventually


async def test_a_database_is_migrated_and_reachable_for_every_role(database: Database) -> None:
    for dsn in (database.dsn, database.api, database.dispatcher, database.gateway, database.log_writer):
        connection = await asyncpg.connect(dsn)
        assert await connection.fetchval("SELECT current_database()") == database.name
        await connection.close()


async def test_two_databases_are_apart(database: Database, fresh_database: Callable[[], Database]) -> None:
    other = fresh_database()
    assert other.name != database.name


async def test_streams_are_there_and_survive_a_kill(provisioned_nats: NatsServer) -> None:
    provisioned_nats.kill()
    provisioned_nats.start()
    client = await nats.connect(provisioned_nats.url)
    names = {stream.config.name for stream in await client.jetstream().streams_info()}
    await client.close()
    assert {"SEND_JOBS", "DELIVERY_EVENTS", "DEAD_LETTERS"} <= names


async def test_eventually_waits_for_an_answer() -> None:
    begun = time.monotonic()
    assert await eventually(lambda: time.monotonic() - begun > 0.05, timeout=5)


async def test_eventually_gives_the_last_failure() -> None:
    def check() -> bool:
        assert begun is None, "still wrong"
        return True

    begun = time.monotonic()
    with pytest.raises(AssertionError, match="still wrong"):
        await eventually(check, timeout=0.05)
