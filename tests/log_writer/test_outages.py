"""PostgreSQL, NATS or the log-writer itself may go away at any moment; nothing is lost, nothing counted twice."""

import asyncio
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from subprocess import Popen
from uuid import uuid4

import asyncpg
import pytest
from structlog.testing import capture_logs

from relaygram_common.database import migrate
from relaygram_common.database.pool import EVERY_WORKSPACE, create_pool
from relaygram_common.tasks import cancel_and_wait
from relaygram_common.topology import DELIVERY_EVENTS, LOG_WRITER, provision
from relaygram_local_stack.servers import NatsServer, Postgres
from relaygram_log_writer.adapters.pg_log import PgLog
from relaygram_log_writer.adapters.pg_retention import PgRetention
from relaygram_log_writer.retention import Retention
from tests.log_writer.events import assert_counters_exact, event, new_campaign, rows_of
from tests.log_writer.histories import rows_made_by
from tests.log_writer.running import Bench, bench, log_writer
from tests.support.servers import Database
from tests.support.waiting import eventually, run_in_thread


@pytest.fixture(scope="module")
def own_postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """One that may be killed: nobody else uses it."""
    with Postgres(tmp_path_factory.mktemp("postgres")) as server:
        server.ensure_database("relaygram")
        migrate.upgrade(server.dsn("relaygram"))
        yield server


async def _assert_complete(outside: Bench, connection: object, campaign: int, jobs: int) -> None:
    await outside.drained()
    await assert_counters_exact(connection, campaign)
    counted = await connection.fetchval(  # type: ignore[attr-defined]  # a connection or a pool
        "select sent from delivery.campaign_counters where campaign_id = $1", campaign
    )
    assert counted == jobs


async def test_postgres_goes_away_and_comes_back(own_postgres: Postgres, provisioned_nats: NatsServer) -> None:
    campaign, dsn = new_campaign(), own_postgres.dsn("relaygram", "relaygram_log_writer")
    async with (
        bench(provisioned_nats.url, own_postgres.dsn("relaygram")) as outside,
        log_writer(provisioned_nats.url, dsn),
    ):
        await outside.publish([event("sent", campaign=campaign) for _ in range(200)])
        await outside.drained()
        own_postgres.kill()
        await outside.publish([event("sent", campaign=campaign) for _ in range(200)])
        js = outside.client.jetstream()
        info, last = (
            await js.consumer_info(DELIVERY_EVENTS, LOG_WRITER),
            (await js.stream_info(DELIVERY_EVENTS)).state.last_seq,
        )
        assert info.ack_floor is not None
        assert last - info.ack_floor.stream_seq == 200  # nothing acknowledged that is not durable
        own_postgres.start()
        connection = await asyncpg.connect(own_postgres.dsn("relaygram"))
        await _assert_complete(outside, connection, campaign, 400)
        await connection.close()


async def test_retention_goes_on_when_postgres_comes_back(own_postgres: Postgres) -> None:
    campaign, role = new_campaign(), own_postgres.dsn("relaygram", "relaygram_log_writer")
    pool = await create_pool(role, application_name="test", workspace=EVERY_WORKSPACE, max_size=1)
    await PgLog(pool).write(rows_made_by([event("sent", campaign=campaign)]))
    await pool.execute("update delivery.messages set created_at = now() - interval '31 days'")
    own_postgres.kill()
    with capture_logs() as said:
        task = asyncio.create_task(Retention(PgRetention(pool, owner="test"), keep=timedelta(days=30)).run())
        await eventually(lambda: [one for one in said if one["event"] == "log.retention_delayed"])
        own_postgres.start()
        await eventually(lambda: [one for one in said if one["event"] == "log.trimmed"])
    await cancel_and_wait([task])
    assert await rows_of(pool, campaign) == []
    await pool.close()


async def test_nats_goes_away_and_comes_back(provisioned_nats: NatsServer, database: Database) -> None:
    campaign = new_campaign()
    async with (
        bench(provisioned_nats.url, database.dsn) as outside,
        log_writer(provisioned_nats.url, database.log_writer),
    ):
        await outside.publish([event("sent", campaign=campaign) for _ in range(600)])
        provisioned_nats.kill()
        provisioned_nats.start()
        await outside.publish([event("sent", campaign=campaign) for _ in range(50)])
        await _assert_complete(outside, outside.connection, campaign, 650)


async def test_a_consumer_made_anew_replays_everything_without_harm(
    provisioned_nats: NatsServer, database: Database
) -> None:
    campaign = new_campaign()
    async with (
        bench(provisioned_nats.url, database.dsn) as outside,
        log_writer(provisioned_nats.url, database.log_writer),
    ):
        await outside.publish([event("sent", campaign=campaign) for _ in range(300)])
        await outside.drained()
        newest = "select last_revision from delivery.campaign_counters where campaign_id = $1"
        revision = await outside.connection.fetchval(newest, campaign)
        await outside.client.jetstream().delete_consumer(DELIVERY_EVENTS, LOG_WRITER)
        await asyncio.to_thread(run_in_thread, provision(provisioned_nats.url))
        await _assert_complete(outside, outside.connection, campaign, 300)
        assert await outside.connection.fetchval(newest, campaign) == revision


_WRITTEN = "select last_position >= $2 from delivery.campaign_counters where campaign_id = $1"


@contextmanager
def process(nats_url: str, dsn: str, port: int, log: Path) -> Iterator["Popen[bytes]"]:
    """A log-writer as it runs in production."""
    environment = {
        **os.environ,
        "RELAYGRAM_NATS_URL": nats_url,
        "RELAYGRAM_POSTGRES_DSN": dsn,
        "RELAYGRAM_HEALTH_PORT": str(port),
    }
    with (
        log.open("ab") as output,
        Popen([sys.executable, "-m", "relaygram_log_writer"], env=environment, stdout=output, stderr=output) as running,
    ):
        yield running
        if running.poll() is None:
            running.terminate()
        running.wait(10)


@pytest.mark.faults
async def test_killed_at_any_moment_it_loses_and_doubles_nothing(
    provisioned_nats: NatsServer, database: Database, tmp_path: Path
) -> None:
    campaign, jobs, log = new_campaign(), [uuid4() for _ in range(3000)], tmp_path / "log"
    async with bench(provisioned_nats.url, database.dsn) as outside:
        await outside.publish([event("queued", campaign=campaign, job=job, attempt=0) for job in jobs])
        await outside.publish([event("sent", campaign=campaign, job=job) for job in jobs])
        for enough in (1, 2000, None):
            with process(provisioned_nats.url, database.log_writer, 0, log) as running:
                if enough is None:
                    await _assert_complete(outside, outside.connection, campaign, len(jobs))
                    running.send_signal(signal.SIGTERM)
                    assert running.wait(10) == 0
                else:
                    await eventually(partial(outside.connection.fetchval, _WRITTEN, campaign, enough))
                    running.kill()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"RELAYGRAM_POSTGRES_DSN": "postgresql://nobody@127.0.0.1:1/none"}, "RELAYGRAM_POSTGRES_DSN"),
        ({"RELAYGRAM_LOG_BATCH_SIZE": "many"}, "RELAYGRAM_LOG_BATCH_SIZE"),
    ],
    ids=["postgres", "setting"],
)
async def test_what_is_wrong_at_the_start_is_said_in_one_line(
    provisioned_nats: NatsServer, database: Database, wrong: dict[str, str], said: str
) -> None:
    right = {
        "RELAYGRAM_NATS_URL": provisioned_nats.url,
        "RELAYGRAM_POSTGRES_DSN": database.log_writer,
        "RELAYGRAM_HEALTH_PORT": "0",
    }
    running = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "relaygram_log_writer",
        env={**os.environ, **right, **wrong},
        stderr=asyncio.subprocess.PIPE,
    )
    _, errors = await asyncio.wait_for(running.communicate(), 20)
    lines = [line for line in errors.decode().splitlines() if not line.startswith("{")]
    assert running.returncode != 0
    assert len(lines) == 1, errors.decode()
    assert said in lines[0]
