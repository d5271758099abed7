"""One connection to a provisioned nats-server for each module, with a publisher that follows its reconnects."""

from collections.abc import AsyncIterator

import nats
import pytest
from nats.aio.client import Client

from relaygram_common.jetstream.connection import Reconnects
from relaygram_common.jetstream.publisher import WindowPublisher
from relaygram_local_stack.servers import NatsServer


async def _quiet(_: Exception) -> None:
    """Outages are what some of these tests are about."""


@pytest.fixture(scope="module")
def reconnects() -> Reconnects:
    """Who wants to know when the connection is back."""
    return Reconnects()


@pytest.fixture(scope="module")
async def client(provisioned_nats: NatsServer, reconnects: Reconnects) -> AsyncIterator[Client]:
    """A nats-py client that never gives up."""
    client = await nats.connect(
        provisioned_nats.url,
        reconnect_time_wait=0.1,
        max_reconnect_attempts=-1,
        error_cb=_quiet,
        reconnected_cb=reconnects.notify,
    )
    yield client
    await client.close()


@pytest.fixture(scope="module")
async def publisher(client: Client, reconnects: Reconnects) -> AsyncIterator[WindowPublisher]:
    """A publisher that tries quickly."""
    publisher = WindowPublisher(client, ack_timeout_seconds=1.0, tries=6)
    reconnects.listen(publisher.reconnected)
    await publisher.start()
    yield publisher
    await publisher.stop()
