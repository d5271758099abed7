"""Connections are given back without a round trip, and nobody finds in them what others left."""

import re
from pathlib import Path

import pytest

from relaygram_common.database.pool import create_pool
from tests.support.servers import Database

SOURCES = [
    path
    for folder in ("services", "libs")
    for path in (Path(__file__).parents[2] / folder).glob("*/src/**/*.sql")
    if "migrations" not in path.parts
]
# What would outlive a transaction: settings, session locks, channels, temporary tables, prepared and held things.
LASTING = re.compile(
    r"\bset\s+(?!local\b)(session\s+)?[a-z_.]+\s*(=|to\b)|set_config\([^)]*false|pg_(try_)?advisory_lock|\blisten\b|"
    r"with hold|create temporary table (?![^;]*on commit drop)|^\s*prepare\b",
    re.IGNORECASE | re.MULTILINE,
)

# The api's connections for reading keep their workspace, and each read makes sure of it: tests/api/test_reading.py.
GUARDED = "set relaygram.workspace_id = '{workspace_id}'\n"


async def test_a_transaction_left_open_is_rolled_back_with_all_it_had_set(database: Database) -> None:
    pool = await create_pool(database.api, application_name="test", workspace="7", max_size=1)
    try:
        async with pool.acquire() as connection:
            await connection.execute("begin; set local relaygram.workspace_id = '8'")
        async with pool.acquire() as connection:
            assert not connection.is_in_transaction()
            assert await connection.fetchval("select current_setting('relaygram.workspace_id')") == "7"
    finally:
        await pool.close()


async def test_giving_back_asks_the_server_nothing(database: Database) -> None:
    pool = await create_pool(database.api, application_name="test", max_size=1)
    asked: list[str] = []
    try:
        async with pool.acquire() as connection:
            connection.add_query_logger(lambda query: asked.append(query.query))
            await connection.execute("select 1")
        async with pool.acquire() as connection:
            await connection.execute("select 2")
    finally:
        await pool.close()
    assert asked == ["select 1", "select 2"]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: f"{path.parents[1].name}/{path.name}")
def test_no_statement_leaves_anything_in_its_session(path: Path) -> None:
    statements = re.sub(r"--.*", "", path.read_text(encoding="utf-8")).replace(GUARDED, "")
    for statement in statements.split(";"):
        if not re.search(r"\bupdate\b|\binsert\b", statement, re.IGNORECASE):
            assert not LASTING.search(statement), statement


def test_the_guard_knows_what_lasts() -> None:
    for statement in ("set x.y = 1", "set session a to 1", "select pg_advisory_lock(1)", "listen a",
                      "select set_config('a', 'b', false)", "create temporary table x (a int)"):  # fmt: skip
        assert LASTING.search(statement), statement
    for statement in ("set local x.y = 1", "begin; set local a = 2", "select pg_advisory_xact_lock(1)"):
        assert not LASTING.search(statement), statement
