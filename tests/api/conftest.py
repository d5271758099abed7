"""The api over a real PostgreSQL and NATS, called through its real ASGI application.

fixture   gives
--------  -------------------------------------------------------------------------------------------
api       Api: .client (a token with all abilities), .parts, .database, calls that tests often make
process   Process: the api as a process: .url, .token, .raw(bytes): for what only real sockets show
"""

from collections.abc import AsyncIterator

import pytest

from relaygram_local_stack.servers import NatsServer
from tests.api.served import Process, served_api
from tests.api.support import Api, running_api
from tests.support.servers import Database


@pytest.fixture(scope="module")
async def api(database: Database, provisioned_nats: NatsServer) -> AsyncIterator[Api]:
    """One api for the module, in a workspace of its own, as in a stack with a sandbox and without rate limit."""
    async with running_api(database, provisioned_nats.url) as running:
        yield running


@pytest.fixture(scope="module")
async def process(database: Database, provisioned_nats: NatsServer) -> AsyncIterator[Process]:
    """One api process for the module, without rate limit."""
    async with served_api(database, provisioned_nats.url) as running:
        yield running
