"""A line for each module: a dispatcher and a log-writer between real servers."""

from collections.abc import AsyncIterator

import pytest

from relaygram_local_stack.servers import NatsServer
from tests.dispatcher.line import Outside, dispatcher, log_writer, outside
from tests.support.servers import Database


@pytest.fixture(scope="module")
async def line(provisioned_nats: NatsServer, database: Database) -> AsyncIterator[Outside]:
    """Everything around a dispatcher that runs."""
    async with (
        outside(provisioned_nats.url, database.dsn) as around,
        log_writer(provisioned_nats.url, database.log_writer),
        dispatcher(provisioned_nats.url, database.dispatcher, page_size=100, max_jobs_ahead=1000),
    ):
        yield around


@pytest.fixture(scope="module")
async def quiet_line(provisioned_nats: NatsServer, database: Database) -> AsyncIterator[Outside]:
    """The same without a dispatcher: the test starts its own."""
    async with (
        outside(provisioned_nats.url, database.dsn) as around,
        log_writer(provisioned_nats.url, database.log_writer),
    ):
        yield around


@pytest.fixture
async def alone(quiet_line: Outside, provisioned_nats: NatsServer, database: Database) -> AsyncIterator[Outside]:
    """The same, with a dispatcher for one test."""
    async with dispatcher(provisioned_nats.url, database.dispatcher):
        yield quiet_line
