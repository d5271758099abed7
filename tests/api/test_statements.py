"""Every statement fits the schema, under the api's own role."""

import asyncpg
import pytest

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
