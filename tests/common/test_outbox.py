"""What a transaction left in the outbox is published, at least once; a row goes only after its acknowledgement."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import orjson
import pytest
from nats.aio.client import Client
from nats.js.errors import KeyNotFoundError

from relaygram_common.contracts.doorbells import CampaignCommand, CampaignStateEntry
from relaygram_common.contracts.public_events import CampaignEvent
from relaygram_common.database.pool import create_pool
from relaygram_common.jetstream.publisher import WindowPublisher
from relaygram_common.outbox import OutboxRelay
from relaygram_common.topology import CAMPAIGN_COMMANDS, CAMPAIGN_EVENTS, CAMPAIGN_STATE
from relaygram_local_stack.servers import NatsServer
from tests.common.rows import make_campaign, make_workspace
from tests.support.servers import Database
from tests.support.waiting import eventually


@pytest.fixture(scope="module")
async def owner(database: Database) -> AsyncIterator["asyncpg.Pool[asyncpg.Record]"]:
    """As superuser, who plays everybody."""
    pool = await asyncpg.create_pool(database.dsn, min_size=1, max_size=3)
    yield pool
    await pool.close()


@contextlib.asynccontextmanager
async def _relaying(database: Database, client: Client, publisher: WindowPublisher) -> AsyncIterator[OutboxRelay]:
    pool = await create_pool(database.api, application_name="test")  # the role that sees least
    relay = OutboxRelay(pool, client, publisher, poll_seconds=0.05)
    task = asyncio.create_task(relay.run())
    try:
        yield relay
    finally:
        task.cancel()
        await asyncio.wait([task])
        await pool.close()


async def _empty(owner: Any) -> None:
    async def empty() -> bool:
        return not await owner.fetchval("select exists (select from control.outbox)")

    await eventually(empty, 15.0, what="an empty outbox")


async def _move(owner: Any, workspace: int, campaign: int, action: str) -> int:
    row = await owner.fetchrow("select * from control.transition($1, $2, $3, 'user:1')", workspace, campaign, action)
    assert row["outcome"] == "changed"
    return int(row["version"])


async def test_a_transition_becomes_a_doorbell_an_event_and_a_state(
    database: Database, owner: Any, client: Client, publisher: WindowPublisher
) -> None:
    workspace = await make_workspace(owner)
    campaign, account = await make_campaign(owner, workspace)
    version = await _move(owner, workspace, campaign, "start")
    js = client.jetstream()
    async with _relaying(database, client, publisher):
        await _empty(owner)
        command = await js.get_last_msg(CAMPAIGN_COMMANDS, f"campaign.command.start.{workspace}.{campaign}")
        rung = CampaignCommand.model_validate_json(command.data or b"")
        assert rung == CampaignCommand(workspace_id=workspace, campaign_id=campaign, version=version)
        message = await js.get_last_msg(CAMPAIGN_EVENTS, f"campaign.event.{workspace}.started.{campaign}")
        event = CampaignEvent.model_validate_json(message.data or b"")
        assert (event.kind, event.version, event.actor, event.counts["total_contacts"]) == (
            "started", version, "user:1", 1,
        )  # fmt: skip
        headers = message.headers or {}
        assert (headers["ce-id"], headers["ce-type"], headers["ce-source"]) == (
            str(event.event_id),
            "com.relaygram.campaign.started.v1",
            f"/workspaces/{workspace}",
        )
        states = await js.key_value(CAMPAIGN_STATE)
        entry = await states.get(f"{account}.{campaign}")
        expected = CampaignStateEntry(state="running", version=version, mode="broadcast")
        assert CampaignStateEntry.model_validate_json(entry.value or b"") == expected

        await _move(owner, workspace, campaign, "stop")
        await _empty(owner)
        with pytest.raises(KeyNotFoundError):  # a terminal campaign has no key
            await states.get(f"{account}.{campaign}")


async def test_an_older_state_never_overwrites_a_newer_one(
    database: Database, owner: Any, client: Client, publisher: WindowPublisher
) -> None:
    workspace = await make_workspace(owner)
    campaign, account = await make_campaign(owner, workspace)
    states = await client.jetstream().key_value(CAMPAIGN_STATE)
    newer = CampaignStateEntry(state="paused", version=900, mode="broadcast").model_dump_json().encode()
    await states.put(f"{account}.{campaign}", newer)
    async with _relaying(database, client, publisher):
        await _move(owner, workspace, campaign, "start")
        await _empty(owner)
    assert (await states.get(f"{account}.{campaign}")).value == newer


async def test_while_nats_is_away_rows_wait_and_then_go_out_once(
    database: Database, owner: Any, client: Client, publisher: WindowPublisher, provisioned_nats: NatsServer
) -> None:
    workspace = await make_workspace(owner)
    async with _relaying(database, client, publisher), _relaying(database, client, publisher):
        provisioned_nats.kill()
        campaigns = [(await make_campaign(owner, workspace))[0] for _ in range(20)]
        for campaign in campaigns:
            await _move(owner, workspace, campaign, "start")
        await asyncio.sleep(0.3)
        assert await owner.fetchval("select count(*) from control.outbox") == 60
        provisioned_nats.start()
        await _empty(owner)
    info = await client.jetstream().stream_info(
        CAMPAIGN_EVENTS, subjects_filter=f"campaign.event.{workspace}.started.>"
    )
    assert info.state.subjects == {f"campaign.event.{workspace}.started.{campaign}": 1 for campaign in campaigns}


async def test_what_was_rolled_back_is_never_published(
    database: Database, owner: Any, client: Client, publisher: WindowPublisher
) -> None:
    async with _relaying(database, client, publisher) as relay:
        async with owner.acquire() as connection:
            transaction = connection.transaction()
            await transaction.start()
            await connection.execute("select control.ring(1, 'campaign.command.start.1.777', '{}')")
            relay.wake()
            await asyncio.sleep(0.1)
            await transaction.rollback()
        await owner.execute("select control.ring(1, 'campaign.command.start.1.778', $1)", orjson.dumps({}).decode())
        relay.wake()
        await _empty(owner)
    info = await client.jetstream().stream_info(CAMPAIGN_COMMANDS, subjects_filter="campaign.command.start.1.*")
    assert f"campaign.command.start.1.{778}" in (info.state.subjects or {})
    assert f"campaign.command.start.1.{777}" not in (info.state.subjects or {})
