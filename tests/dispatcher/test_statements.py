"""Each statement of the dispatcher can be prepared under its own role."""

from relaygram_common.database.pool import EVERY_WORKSPACE, create_pool
from relaygram_common.database.statements import Statements
from tests.support.servers import Database

_statements = Statements("relaygram_dispatcher")


async def test_every_statement_can_be_prepared(database: Database) -> None:
    pool = await create_pool(database.dispatcher, application_name="test", workspace=EVERY_WORKSPACE, max_size=1)
    async with pool.acquire() as connection:
        for name in _statements.names():
            await connection.prepare(_statements[name])
    await pool.close()
