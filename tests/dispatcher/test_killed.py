"""kill -9 at any moment loses and doubles nothing."""

import asyncio
import os
import random
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from relaygram_local_stack.servers import NatsServer
from tests.dispatcher.line import Outside, dispatcher, gateway
from tests.support.servers import Database
from tests.support.waiting import eventually

_PEOPLE = 3000


@asynccontextmanager
async def process(nats_url: str, dsn: str, log: Path, instance: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A dispatcher as it runs in production, with pages so small that a kill meets every step of one."""
    environment = {
        **os.environ,
        "RELAYGRAM_NATS_URL": nats_url,
        "RELAYGRAM_POSTGRES_DSN": dsn,
        "RELAYGRAM_HEALTH_PORT": "0",
        "RELAYGRAM_INSTANCE": instance,
        "RELAYGRAM_PAGE_SIZE": "3",
        "RELAYGRAM_RUN_LEASE_SECONDS": "1",
        "RELAYGRAM_RUN_POLL_SECONDS": "0.1",
        "RELAYGRAM_RECONCILE_AFTER_SECONDS": "1",
    }
    with log.open("ab") as output:
        running = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "relaygram_dispatcher", env=environment, stdout=output, stderr=output
        )
        try:
            yield running
        finally:
            if running.returncode is None:
                running.kill()
            await running.wait()


@pytest.mark.faults
async def test_killed_in_the_middle_of_a_broadcast_again_and_again(
    quiet_line: Outside, provisioned_nats: NatsServer, database: Database, tmp_path: Path
) -> None:
    line, chance = quiet_line, random.Random(7)  # noqa: S311 - when to kill is no secret
    campaign_id = await line.campaign(_PEOPLE)

    async def made() -> int:
        return int((await line.run(campaign_id)).get("jobs_made", 0))

    async with gateway(line, campaign_id) as telegram:
        for number in range(3):
            before = await made()

            async def moved(before: int = before) -> bool:
                return await made() > before

            async with process(provisioned_nats.url, database.dispatcher, tmp_path / "log", f"d{number % 2}"):
                await eventually(moved)
                await asyncio.sleep(chance.uniform(0.0, 0.15))
        assert await line.status(campaign_id) == "running"
        assert await made() < _PEOPLE, "the kills came too late to mean anything"
        async with process(provisioned_nats.url, database.dispatcher, tmp_path / "log", "last") as running:
            await line.becomes(campaign_id, "completed", timeout=30.0)
            assert [event["kind"] for event in await line.campaign_events(campaign_id)] == ["started", "completed"]
            running.terminate()
            assert await asyncio.wait_for(running.wait(), 10) == 0

    people = {
        row["id"]
        for row in await line.pool.fetch("select id from control.contacts where campaign_id = $1", campaign_id)
    }
    rows = await line.rows(campaign_id)
    assert {job.contact_id for job in telegram.seen} == people
    assert {row["sender_id"] for row in rows} == people
    assert len({job.job_id for job in telegram.seen}) == len(rows) == _PEOPLE
    pending, sent, failed = await line.counters(campaign_id)
    assert (pending, sent + failed) == (0, _PEOPLE)
    assert await made() == _PEOPLE


async def test_a_run_has_one_holder_until_it_gives_up_or_its_lease_expires(
    quiet_line: Outside, provisioned_nats: NatsServer, database: Database
) -> None:
    line, nats_url, dsn = quiet_line, provisioned_nats.url, database.dispatcher
    async with dispatcher(nats_url, dsn, instance="first", run_lease_seconds=0.5):
        campaign_id = await line.campaign(10)
        await line.expanded(campaign_id, 10)
        before = await line.run(campaign_id)
        async with dispatcher(nats_url, dsn, instance="second"):
            await asyncio.sleep(1.0)  # twice the lease
            held = await line.run(campaign_id)
            assert (held["lease_owner"], held["epoch"]) == ("first", before["epoch"])
    async with dispatcher(nats_url, dsn, instance="second"), gateway(line, campaign_id):
        await line.becomes(campaign_id, "completed")
    after = await line.run(campaign_id)
    assert (after["lease_owner"], after["epoch"] > before["epoch"], after["jobs_made"]) == ("second", True, 10)
