"""Every statement fits the schema, under the api's own role."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from itertools import product
from typing import Any

import asyncpg
import pytest

from relaygram_api.adapters import pg_channel_logs
from relaygram_api.adapters.log_pages import filtered_page
from relaygram_api.core.log_query import Bookmark, Counted, LogQuery
from relaygram_common.database.statements import Statements
from tests.support.servers import Database

STATEMENTS = Statements("relaygram_api")
# Several statements in one simple query, which can not be prepared; other tests run them.
SIMPLE = {
    "begin_in_workspace",
    "name_author",
    "enter_workspace",
    "guarded_read",
    "begin_import",
    "stage_tables",
    "commit",
    "rollback",
}
# Pieces of statements, prepared below.
_PIECE = re.compile(
    r"channel_log(_\w+)?|log_(page|rows(_\w+)?|place(_\w+)?|shown_place|further_rows|source(_\w+)?|where_\w+|total(_\w+)?)"
)
SIMPLE |= {name for name in STATEMENTS.names() if _PIECE.fullmatch(name)}
_BOOKMARKS = (
    None,
    Bookmark(9),
    Bookmark(9, 4),
    Bookmark(9, None, Counted(7, 1, 3)),
    Bookmark(9, 4, Counted(10_001, 1, 3)),
)
STAGED = {
    "add_contacts",
    "add_import_errors",
    "staged_addresses",
    "stage_erased_errors",
    "unstage_contacts",
    "remove_added_contacts",
}


@pytest.mark.parametrize("name", sorted(set(STATEMENTS.names()) - SIMPLE))
async def test_statement_can_be_prepared_by_the_api(name: str, database: Database) -> None:
    connection = await asyncpg.connect(database.api)
    try:
        if name in STAGED:
            async with connection.transaction():
                await connection.execute(STATEMENTS["stage_tables"])
                await connection.prepare(STATEMENTS[name])
        else:
            await connection.prepare(STATEMENTS[name])
    finally:
        await connection.close()


async def test_each_statement_of_the_channel_logs_can_be_prepared(database: Database) -> None:
    connection = await asyncpg.connect(database.api)
    try:
        for statement in pg_channel_logs.STATEMENTS.values():
            await connection.prepare(statement)
    finally:
        await connection.close()


async def test_each_set_of_filters_of_the_log_makes_a_statement(database: Database) -> None:
    given: dict[str, Any] = {
        "status": "sent", "since": datetime.now(UTC), "since_id": 5, "sender_id": 7, "changed_since": 3, "code": "X",
        "q": "y",
    }  # fmt: skip
    connection = await asyncpg.connect(database.api)
    try:
        for some in product(*((name, None) for name in given)):
            query = replace(LogQuery(25, 1, "asc"), **{name: given[name] for name in some if name})
            pages = (query, replace(query, order="desc"), replace(query, page=3))
            for one, bookmark in product(pages, _BOOKMARKS):
                statement, arguments = filtered_page(1, one, bookmark)
                await connection.fetch(statement, *arguments)
    finally:
        await connection.close()
