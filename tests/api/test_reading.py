"""Reads in one round trip: they see their workspace, whatever the connection did before."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from relaygram_api.adapters.pg_reading import Readers
from relaygram_common import identity
from relaygram_common.database.pool import create_pool
from relaygram_common.database.statements import Statements
from tests.api.support import Api

GUARDED = Statements("relaygram_api")["guarded_read"]
NAMES = "select name from control.users order by id"


@pytest.fixture(scope="module")
async def other(api: Api) -> int:
    """Another workspace."""
    made = await identity.bootstrap(api.database.dsn, workspace="other", email="other@example.com")
    return made.workspace_id


@pytest.fixture
async def pool(api: Api) -> AsyncIterator["asyncpg.Pool[asyncpg.Record]"]:
    made = await create_pool(api.database.api, application_name="test", max_size=1)
    yield made
    await made.close()


async def test_workspaces_take_turns_on_one_connection_and_see_their_own(
    api: Api, other: int, pool: "asyncpg.Pool[asyncpg.Record]"
) -> None:
    readers = Readers(pool, answer_seconds=5)
    for workspace_id, name in [(api.workspace_id, "jane"), (other, "other"), (api.workspace_id, "jane")] * 2:
        async with readers.reading(workspace_id) as reading:
            assert [row["name"] for row in await reading.fetch(NAMES)] == [name]
            assert [row["name"] for row in [await reading.fetchrow(NAMES)] if row] == [name]
            assert await reading.fetchval("select count(*) from control.users where name = $1", name) == 1


async def test_a_session_that_works_for_somebody_else_is_found_out(
    api: Api, other: int, pool: "asyncpg.Pool[asyncpg.Record]"
) -> None:
    """As with a pooler that hands out other sessions, or a server process with the number of an old one."""
    readers = Readers(pool, answer_seconds=5)
    for behind_its_back in (str(other), "", "*"):
        async with readers.reading(api.workspace_id) as reading:
            assert await reading.fetchval(NAMES) == "jane"
        async with pool.acquire() as connection:
            await connection.execute(f"set relaygram.workspace_id = '{behind_its_back}'")
        async with readers.reading(api.workspace_id) as reading:
            assert await reading.fetchval(NAMES) == "jane"
            # Also when it finds no row.
            assert await reading.fetchval("select count(*) from control.users where name = 'other'") == 0


async def test_the_guard_speaks_before_the_first_row_and_when_there_is_none(api: Api, other: int) -> None:
    connection = await asyncpg.connect(api.database.api)
    try:
        await connection.execute(f"set relaygram.workspace_id = '{other}'")
        for statement in (
            NAMES,
            "select id from control.campaigns where id < 0",
            "select max(id) from control.contacts",
        ):
            guarded = GUARDED.format(statement=statement, workspace=1)
            with pytest.raises(asyncpg.PostgresError, match="does not work for workspace"):
                await connection.fetch(guarded, api.workspace_id)
    finally:
        await connection.close()


async def test_a_read_is_one_round_trip(api: Api, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
    readers = Readers(pool, answer_seconds=5)
    asked: list[str] = []
    async with pool.acquire() as connection:
        connection.add_query_logger(lambda query: asked.append(query.query))
    for _ in range(2):
        asked.clear()
        async with readers.reading(api.workspace_id) as reading:
            await reading.fetchval(NAMES)
    assert len(asked) == 1


async def test_nothing_can_be_changed_through_it(api: Api, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
    async with Readers(pool, answer_seconds=5).reading(api.workspace_id) as reading:
        for statement in (
            "update control.users set name = 'x' returning 1",
            "delete from control.contacts returning 1",
        ):
            with pytest.raises(asyncpg.PostgresSyntaxError):
                await reading.fetch(statement)
