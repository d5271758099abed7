"""The live stream of a campaign's log: every change once, in order, for as long as the client and its token hold."""

from collections.abc import AsyncIterator

import httpx
import nats
import pytest

from relaygram_local_stack.servers import NatsServer
from tests.api.served import Process
from tests.api.streams import Log, calling, make_campaign, opened
from tests.support.servers import Database


@pytest.fixture(scope="module")
async def client(process: Process) -> AsyncIterator[httpx.AsyncClient]:
    async with calling(process) as client:
        yield client


@pytest.fixture
async def log(client: httpx.AsyncClient, database: Database, provisioned_nats: NatsServer) -> AsyncIterator[Log]:
    """A campaign of its own for each test."""
    connection = await nats.connect(provisioned_nats.url)
    workspace = (await client.get("/me")).json()["data"]["workspace"]["id"]
    try:
        yield Log(database, workspace, await make_campaign(client), connection)
    finally:
        await connection.close()


async def test_it_begins_now_and_tells_each_change_in_order(client: httpx.AsyncClient, log: Log) -> None:
    await log.write("before")
    async with opened(client, log.campaign_id) as stream:
        assert stream.answer.headers["Content-Type"] == "text/event-stream; charset=utf-8"
        rows = await log.write("one", "two", state="queued")
        first = await stream.events(2)
        await log.write_rows([{**rows[1], "state": "sent", "rank": 4}])
        changed = await stream.events(1)
    assert [one["body"] for one in first] == ["one", "two"]
    assert (changed[0]["body"], changed[0]["status"]) == ("two", "sent")
    listed = (await client.get(f"/campaigns/{log.campaign_id}/logs?changed_since=0")).json()["data"]
    assert changed[0] == listed[-1]
