"""An api on a port and in this process, for tests of what speaks to it: import both fixtures."""

from collections.abc import AsyncIterator

import pytest

from relaygram_local_stack.servers import NatsServer
from tests.api.served import Process, served_here
from tests.api.support import Api, running_api
from tests.support.servers import Database


@pytest.fixture(scope="module")
async def api(database: Database, provisioned_nats: NatsServer) -> AsyncIterator[Api]:
    """Makes data in the workspace of `process`; its streams last as in a process of its own."""
    async with running_api(database, provisioned_nats.url, stream_max_seconds=3600) as running:
        yield running


@pytest.fixture(scope="module")
async def process(api: Api) -> AsyncIterator[Process]:
    """The same api on a port: without sockets a live stream never ends."""
    async with served_here(api) as running:
        yield running
