"""The client over the real api.

fixture    gives
---------  ----------------------------------------------------------------------------------------
api        tests.api.support.Api, as in tests/api
relaygram  Relaygram: the client of a token that may do everything
"""

from collections.abc import AsyncIterator

import pytest

from relaygram_client import Relaygram
from relaygram_local_stack.servers import NatsServer
from tests.api.support import Api, running_api
from tests.support.servers import Database


@pytest.fixture(scope="module")
async def api(database: Database, provisioned_nats: NatsServer) -> AsyncIterator[Api]:
    """One api for the module."""
    async with running_api(database, provisioned_nats.url) as running:
        yield running


@pytest.fixture(scope="module")
async def relaygram(api: Api) -> AsyncIterator[Relaygram]:
    """The client, called without a socket between."""
    async with Relaygram("http://api", api.token, http_transport=api.transport) as client:
        yield client
