"""Migrations, the pool's settings and the statements in .sql files."""

import asyncio
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from importlib.resources import files

import asyncpg
import pytest

from relaygram_common.database import migrate
from relaygram_common.database.pool import TRANSIENT_ERRORS, close_pool, create_pool
from relaygram_common.database.statements import Statements
from relaygram_local_stack.servers import Postgres
from tests.support.servers import Database

_SERVICES = {
    "relaygram_common": "relaygram_api",
    "relaygram_dispatcher": "relaygram_dispatcher",
    "relaygram_log_writer": "relaygram_log_writer",
}


@pytest.mark.parametrize(("package", "role"), _SERVICES.items())
async def test_every_statement_can_be_prepared_by_its_service(database: Database, package: str, role: str) -> None:
    import_module(package)
    statements = Statements(package)
    # Users and tokens are made by the owner of the database at installation, not by a service.
    identity = (files("relaygram_common") / "sql" / "identity.sql").read_text()
    owners = set(re.findall(r"^-- name: (\w+)$", identity, re.MULTILINE))
    connections = {user: await asyncpg.connect(database.dsn_for(user)) for user in {role, "postgres"}}
    assert statements.names()
    for name in statements.names():
        await connections["postgres" if name in owners else role].prepare(statements[name])
    for connection in connections.values():
        await connection.close()


@pytest.fixture(scope="module")
def migrated(postgres_server: Postgres) -> Iterator[str]:
    """A database migrated in place, by several at once: settings of roles are not copied with a template."""
    postgres_server.ensure_database("relaygram_migrated")
    dsn = postgres_server.dsn("relaygram_migrated")
    command = [
        sys.executable,
        "-c",
        "import sys; from relaygram_common.database import migrate; migrate.upgrade(sys.argv[1])",
    ]
    migrators = [subprocess.Popen([*command, dsn]) for _ in range(2)]
    assert [migrator.wait(60) for migrator in migrators] == [0, 0]
    migrate.upgrade(dsn)
    yield "relaygram_migrated"
    postgres_server.drop_database("relaygram_migrated")


async def test_several_migrators_at_once_end_at_the_newest_revision(migrated: str, postgres_server: Postgres) -> None:
    connection = await asyncpg.connect(postgres_server.dsn(migrated))
    assert await connection.fetchval("select version_num from alembic_version") == migrate.newest_revision()
    await connection.close()


@pytest.mark.parametrize("role", ["relaygram_api", "relaygram_dispatcher", "relaygram_gateway", "relaygram_log_writer"])
async def test_no_hung_process_keeps_a_lock(migrated: str, postgres_server: Postgres, role: str) -> None:
    connection = await asyncpg.connect(postgres_server.dsn(migrated, role))
    settings = {
        name: await connection.fetchval("select current_setting($1)", name)
        for name in ("transaction_timeout", "idle_in_transaction_session_timeout", "client_connection_check_interval")
    }
    assert settings == {
        "transaction_timeout": "5s",
        "idle_in_transaction_session_timeout": "3s",
        "client_connection_check_interval": "2s",
    }
    await connection.close()


async def test_a_pool_reads_json_as_values_and_says_whom_it_works_for(database: Database) -> None:
    pool = await create_pool(database.api, application_name="a test", workspace="7")
    assert await pool.fetchval("select $1::jsonb", {"a": [1, None]}) == {"a": [1, None]}
    assert await pool.fetchval("select control.workspace()") == 7
    assert await pool.fetchval("select current_setting('application_name')") == "a test"
    await close_pool(pool)


async def test_a_pool_with_a_hung_statement_is_closed_all_the_same(database: Database) -> None:
    pool = await create_pool(database.dispatcher, application_name="test")
    hung = asyncio.create_task(pool.fetchval("select pg_sleep(30)"))
    await asyncio.sleep(0.1)
    async with asyncio.timeout(4):
        await close_pool(pool)
    with pytest.raises(TRANSIENT_ERRORS):
        await hung


async def test_an_absent_server_is_said_in_one_line() -> None:
    with pytest.raises(ConnectionError, match="RELAYGRAM_POSTGRES_DSN"):
        await create_pool("postgresql://nobody@127.0.0.1:1/none", application_name="test")
