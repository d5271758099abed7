"""Nobody who follows the log misses a row or is told one twice, while four log-writers write, old rows leave,
and one writer after the other is killed."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from subprocess import Popen
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from relaygram_common.contracts.delivery import DeliveryEvent
from relaygram_common.database.pool import EVERY_WORKSPACE, create_pool
from relaygram_common.tasks import cancel_and_wait
from relaygram_local_stack.servers import NatsServer
from relaygram_log_writer.adapters.pg_log import PgLog
from relaygram_log_writer.adapters.pg_retention import PgRetention
from tests.api.served import served_api
from tests.log_writer.events import T0, event, new_campaign, rows_of
from tests.log_writer.histories import assert_as_expected, expected_rows, rows_made_by
from tests.log_writer.readers import Poller, Reader, Watcher
from tests.log_writer.running import Bench, bench
from tests.log_writer.test_outages import process
from tests.support.servers import Database
from tests.support.waiting import eventually

pytestmark = [pytest.mark.faults, pytest.mark.timeout(120)]
_OLD_ROWS, _JOBS, _WRITERS, _KILLS = 6000, 1500, 4, 3
_KEEP = timedelta(days=30)
_AGE = """
update delivery.messages set created_at = created_at - interval '31 days', queued_at = queued_at - interval '31 days'"""


@pytest.fixture
async def client(database: Database, provisioned_nats: NatsServer) -> AsyncIterator[httpx.AsyncClient]:
    """A caller of a real api."""
    async with (
        served_api(database, provisioned_nats.url) as api,
        httpx.AsyncClient(base_url=api.url, headers={"Authorization": f"Bearer {api.token}"}, timeout=30) as client,
    ):
        yield client


async def _campaign(client: httpx.AsyncClient) -> int:
    account = await client.post("/api/v1/telegram-accounts", json={"kind": "user", "phone": "+4915100000000"})
    body = {"name": "Log", "mode": "broadcast", "body": "Hello", "telegram_account_id": account.json()["data"]["id"]}
    made = await client.post("/api/v1/campaigns", json=body)
    campaign_id: int = made.raise_for_status().json()["data"]["id"]
    return campaign_id


def _story(campaign: int, chance: random.Random) -> tuple[list[DeliveryEvent], list[list[DeliveryEvent]]]:
    """What happens to some messages, and how it is told: out of order, some of it twice, among another campaign's."""
    happened: list[DeliveryEvent] = []
    told: list[tuple[float, DeliveryEvent]] = []
    for number in range(_JOBS):
        job, states = (
            uuid4(),
            ["queued", *chance.choice([["sent"], ["retrying", "sent"], ["failed"], ["sent", "read"]])],
        )
        for place, state in enumerate(states):
            made = event(state, campaign=campaign, job=job, attempt=place, seconds=place, queued_at=None)
            happened.append(made)
            told += [(number + chance.uniform(0, 150), made) for _ in range(chance.choice([1, 1, 1, 2]))]
    told += [
        (chance.uniform(0, _JOBS), event("sent", campaign=other)) for other in [new_campaign()] for _ in range(500)
    ]
    ordered = [one for _, one in sorted(told, key=lambda one: one[0])]
    return happened, [ordered[start : start + 80] for start in range(0, len(ordered), 80)]


async def _write_old_rows(pool: Any, campaign: int) -> None:
    for _ in range(0, _OLD_ROWS, 1000):
        await PgLog(pool).write(rows_made_by([event("sent", campaign=campaign, queued_at=T0) for _ in range(1000)]))


async def _let_old_rows_leave(pool: Any, campaign: int, chance: random.Random) -> None:
    retention, left = PgRetention(pool, owner="test"), 0
    while left < _OLD_ROWS:
        trimmed = await retention.trim(campaign, _KEEP, most=chance.randint(1, 300))
        assert trimmed is not None
        left += trimmed.rows
        await asyncio.sleep(0.1)


class _Writers:
    """Log-writers as they run in production."""

    def __init__(self, stack: ExitStack, nats_url: str, dsn: str, log: Path) -> None:
        self._stack = stack
        self._arguments = (nats_url, dsn, 0, log)
        self._running = [self._start() for _ in range(_WRITERS)]

    def _start(self) -> "Popen[bytes]":
        return self._stack.enter_context(process(*self._arguments))

    def replace(self, place: int) -> None:
        """kill -9 of one, and another one for it."""
        self._running[place].kill()
        self._running[place] = self._start()


@asynccontextmanager
async def _reading(*readers: Reader) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(reader.run()) for reader in readers]
    try:
        yield
        for task in tasks:
            assert not task.done(), task.exception()
    finally:
        await cancel_and_wait(tasks)


async def _publish(
    outside: Bench, batches: list[list[DeliveryEvent]], writers: _Writers, chance: random.Random
) -> None:
    kills = {len(batches) * (number + 1) // (_KILLS + 1) for number in range(_KILLS)}
    for number, batch in enumerate(batches):
        await outside.publish(batch)
        if number in kills:
            writers.replace(chance.randrange(_WRITERS))
        await asyncio.sleep(0.05)  # a stream of events, not a heap


async def test_every_reader_is_told_every_row(
    client: httpx.AsyncClient, provisioned_nats: NatsServer, database: Database, tmp_path: Path
) -> None:
    chance = random.Random(20261121)  # noqa: S311 - a story that can be told again
    campaign = await _campaign(client)
    happened, batches = _story(campaign, chance)
    pollers = {name: Poller(name, client, campaign, chance) for name in ("since_id", "since", "changed_since")}
    watcher = Watcher(client, campaign, chance)
    async with AsyncExitStack() as stack:
        outside = await stack.enter_async_context(bench(provisioned_nats.url, database.dsn))
        pool = await create_pool(database.log_writer, application_name="test", workspace=EVERY_WORKSPACE, max_size=2)
        stack.push_async_callback(pool.close)
        await _write_old_rows(pool, campaign)
        await outside.connection.execute(_AGE)
        writers = _Writers(
            stack.enter_context(ExitStack()), provisioned_nats.url, database.log_writer, tmp_path / "log"
        )
        async with _reading(*pollers.values(), watcher):
            await asyncio.gather(
                _publish(outside, batches, writers, chance), _let_old_rows_leave(pool, campaign, chance)
            )
            await outside.drained()
            rows = await rows_of(outside.connection, campaign)
            newest = {row["id"]: row["revision"] for row in rows}
            followers: tuple[Reader, ...] = (pollers["changed_since"], watcher)
            await eventually(lambda: all(one.last("revision") == max(newest.values()) for one in followers))
            await eventually(lambda: all(pollers[name].last("id") == max(newest) for name in ("since_id", "since")))

    _assert_log(rows, happened)
    for name in ("since_id", "since"):
        told = [row["id"] for row in pollers[name].told]
        assert told == sorted({*told}), name
        assert [number for number in told if number >= rows[0]["id"]] == [*newest], name
    for reader in followers:
        revisions = [row["revision"] for row in reader.told]
        assert revisions == sorted({*revisions})
        assert {number: reader.newest()[number] for number in newest} == newest
    assert watcher.connections > 20


def _assert_log(rows: list[Any], happened: list[DeliveryEvent]) -> None:
    found: dict[UUID, dict[str, Any]] = {row["job_id"]: dict(row) for row in rows}
    assert [row["position"] for row in rows] == list(range(_OLD_ROWS + 1, _OLD_ROWS + _JOBS + 1))
    assert_as_expected(expected_rows(happened), found)
