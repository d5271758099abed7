"""The live stream of a campaign's log: every change once, in order, from where the client left off."""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import nats
import pytest

from relaygram_common import identity
from relaygram_local_stack.servers import NatsServer
from tests.api.served import Process, served_api
from tests.api.streams import Log, calling, execute, heartbeat, make_campaign, metric, opened
from tests.support.servers import Database
from tests.support.waiting import eventually

HEARTBEAT_SECONDS = 0.3


@pytest.fixture(scope="module")
async def process(database: Database, provisioned_nats: NatsServer) -> AsyncIterator[Process]:
    """Streams in quick motion, few a token."""
    settings = {
        "RELAYGRAM_STREAM_HEARTBEAT_SECONDS": str(HEARTBEAT_SECONDS),
        "RELAYGRAM_STREAMS_PER_TOKEN": "3",
        "RELAYGRAM_MAX_STREAMS": "5",
    }
    async with served_api(database, provisioned_nats.url, **settings) as running:
        yield running


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


async def stream_errors(client: httpx.AsyncClient, log: Log, **arguments: Any) -> dict[str, list[str]]:
    answer = await client.get(f"/campaigns/{log.campaign_id}/logs/stream", **arguments)
    assert answer.status_code == 422, answer.text
    errors: dict[str, list[str]] = answer.json()["errors"]
    return errors


async def another_token(client: httpx.AsyncClient, **fields: Any) -> str:
    made = await client.post("/tokens", json={"name": "x", "abilities": ["logs:read"], **fields})
    token: str = made.raise_for_status().json()["data"]["token"]
    return token


async def test_it_begins_now_and_tells_each_change_in_order(client: httpx.AsyncClient, log: Log) -> None:
    await log.write("before")
    async with opened(client, log.campaign_id) as stream:
        assert stream.answer.headers["Content-Type"] == "text/event-stream; charset=utf-8"
        assert stream.answer.headers["Cache-Control"] == "no-store"
        rows = await log.write("one", "two", state="queued")
        first = await stream.events(2)
        await log.write_rows([{**rows[1], "state": "sent", "rank": 4}])
        changed = await stream.events(1)
    assert [one["body"] for one in first] == ["one", "two"]
    assert (changed[0]["body"], changed[0]["status"]) == ("two", "sent")
    listed = (await client.get(f"/campaigns/{log.campaign_id}/logs?changed_since=0")).json()["data"]
    assert changed[0] == listed[-1]


async def test_it_goes_on_after_the_last_id_whichever_way_it_is_told(client: httpx.AsyncClient, log: Log) -> None:
    await log.write("one", "two", "three")
    async with opened(client, log.campaign_id, params={"changed_since": 0}) as stream:
        first = await stream.events(2)
    await log.write("four")
    last = first[-1]["revision"]
    header = {"Last-Event-ID": str(last)}
    for arguments in ({"params": {"changed_since": last}}, {"headers": header}):
        async with opened(client, log.campaign_id, **arguments) as stream:
            assert await stream.bodies(2) == ["three", "four"]
    # A browser that comes back asks for the same address.
    async with opened(client, log.campaign_id, params={"changed_since": 0}, headers=header) as stream:
        assert await stream.bodies(2) == ["three", "four"]


async def test_who_leaves_before_the_first_row_comes_back_and_misses_none(client: httpx.AsyncClient, log: Log) -> None:
    await log.write("before")
    async with opened(client, log.campaign_id) as stream:
        await heartbeat(stream)
    await log.write("meanwhile")
    async with opened(client, log.campaign_id, headers={"Last-Event-ID": stream.last_event_id}) as stream:
        assert await stream.bodies(1) == ["meanwhile"]


async def test_silence_is_filled_with_heartbeats(client: httpx.AsyncClient, log: Log) -> None:
    begun = time.monotonic()
    async with opened(client, log.campaign_id) as stream:
        await heartbeat(stream)
        await heartbeat(stream)
        assert time.monotonic() - begun > 1.5 * HEARTBEAT_SECONDS
    assert stream.retry == 2000


async def test_more_than_a_page_comes_whole_and_a_row_that_changed_twice_comes_once(
    client: httpx.AsyncClient, log: Log
) -> None:
    rows = await log.write(*(f"text {number}" for number in range(650)), state="queued")
    for state, rank in (("sending", 1), ("sent", 4)):
        await log.write_rows([{**rows[7], "state": state, "rank": rank}])
    async with opened(client, log.campaign_id, params={"changed_since": 0}) as stream:
        told = await stream.events(650)
        await log.write("last")
        assert await stream.bodies(1) == ["last"]
    assert [one["revision"] for one in told] == sorted({one["revision"] for one in told})
    assert {one["job_id"] for one in told} == {str(one["job_id"]) for one in rows}
    assert told[-1]["body"] == "text 7"


@pytest.mark.parametrize("given", ["x", "-1", "1.5", "9223372036854775808", "1_000", "٣"])
async def test_a_bad_place_to_begin_is_422_and_named(client: httpx.AsyncClient, log: Log, given: str) -> None:
    assert set(await stream_errors(client, log, headers={"Last-Event-ID": given.encode()})) == {"Last-Event-ID"}
    assert set(await stream_errors(client, log, params={"changed_since": given})) == {"changed_since"}


async def test_another_workspaces_log_is_404_and_a_deleted_campaigns_goes_on(
    client: httpx.AsyncClient, log: Log, process: Process, database: Database
) -> None:
    await identity.bootstrap(database.dsn, workspace="second", email="other@example.com")
    stranger = await identity.create_token(database.dsn, "other@example.com", "t", ["*"])
    async with calling(process, stranger) as other:
        for call in (other.get("/campaigns/999999/logs/stream"), other.post("/campaigns/999999/logs/stream-ticket")):
            assert (await call).status_code == 404
        for call in (
            other.get(f"/campaigns/{log.campaign_id}/logs/stream"),
            other.get(f"/campaigns/{log.campaign_id}/logs/stream", headers={"Last-Event-ID": "x"}),
            other.post(f"/campaigns/{log.campaign_id}/logs/stream-ticket"),
        ):
            assert (await call).status_code == 404
    async with opened(client, log.campaign_id) as stream:
        (await client.delete(f"/campaigns/{log.campaign_id}")).raise_for_status()
        await log.write("late")
        assert await stream.bodies(1) == ["late"]
    async with opened(client, log.campaign_id, params={"changed_since": 0}) as stream:
        assert await stream.bodies(1) == ["late"]


async def test_rows_that_left_the_log_are_not_told(client: httpx.AsyncClient, log: Log, database: Database) -> None:
    await log.write("one", "two", "three")
    await execute(database, "delete from delivery.messages where campaign_id = $1 and body <> 'three'", log.campaign_id)
    async with opened(client, log.campaign_id, params={"changed_since": 0}) as stream:
        assert await stream.bodies(1) == ["three"]


async def test_a_token_and_a_process_have_so_many_streams_at_once(
    client: httpx.AsyncClient, log: Log, process: Process
) -> None:
    path = f"/campaigns/{log.campaign_id}/logs/stream"
    async with calling(process, await another_token(client)) as other, calling(process) as more:
        held = [opened(one, log.campaign_id) for one in (client, client, client, other, other)]
        for stream in held[:3]:
            await stream.__aenter__()
        refused = await client.get(path)
        assert (refused.status_code, refused.json()["code"]) == (429, "too_many_requests")
        assert int(refused.headers["Retry-After"]) >= 1
        for stream in held[3:]:
            await stream.__aenter__()
        full = await other.get(path)
        assert (full.status_code, full.json()["code"]) == (503, "unavailable")
        assert int(full.headers["Retry-After"]) >= 1
        assert await metric(process, "relaygram_log_streams ") == 5
        for stream in held:
            await stream.__aexit__(None, None, None)

        async def is_free() -> bool:
            return await metric(process, "relaygram_log_streams ") == 0

        await eventually(is_free, what="places given back")
        async with opened(more, log.campaign_id):
            pass


ENDINGS = {
    "revoked": "update control.api_tokens set revoked_at = now() where id = $1",
    "expired": "update control.api_tokens set expires_at = now() where id = $1",
    "disabled": "update control.users set disabled_at = now()"
    " where id = (select user_id from control.api_tokens where id = $1)",
}


@pytest.mark.parametrize("how", ENDINGS)
async def test_it_ends_with_its_token(client: httpx.AsyncClient, log: Log, process: Process, how: str) -> None:
    owner = f"{how}@example.com"
    await identity.bootstrap(log.database.dsn, workspace=f"of {how}", email=owner)
    token = await identity.create_token(log.database.dsn, owner, "t", ["*"])
    async with calling(process, token) as other:
        campaign_id = await make_campaign(other)
        async with opened(other, campaign_id) as stream:
            await heartbeat(stream)
            await execute(log.database, ENDINGS[how], int(token.partition("|")[0]))
            async with asyncio.timeout(30):
                assert await stream.event() is None


async def test_the_duration_of_requests_knows_when_it_began_not_when_it_ended(
    client: httpx.AsyncClient, log: Log, process: Process
) -> None:
    labels = '{method="GET",route="/api/v1/campaigns/{campaign_id}/logs/stream",status="200"}'
    count, total = (f"relaygram_http_request_seconds_{what}{labels}" for what in ("count", "sum"))
    before, spent = await metric(process, count), await metric(process, total)
    begun = time.monotonic()
    async with opened(client, log.campaign_id) as stream:
        most = time.monotonic() - begun
        for _ in range(5):
            await heartbeat(stream)
        assert await metric(process, count) == before + 1
    assert await metric(process, total) - spent <= most


async def test_who_comes_back_at_random_is_told_everything_once(client: httpx.AsyncClient, log: Log) -> None:
    chance, told, last = random.Random(7), dict[str, Any](), 0  # noqa: S311 - the same each time
    written: dict[str, str] = {}

    async def write() -> None:
        rows: list[dict[str, Any]] = []
        for _ in range(60):
            fresh = await log.write(*("x" for _ in range(chance.randint(1, 20))), state="queued")
            rows += fresh
            written.update({str(one["job_id"]): "pending" for one in fresh})
            ended = [one for one in chance.sample(rows, min(5, len(rows))) if written[str(one["job_id"])] == "pending"]
            await log.write_rows([{**one, "state": "sent", "rank": 4} for one in ended])
            written.update({str(one["job_id"]): "sent" for one in ended})

    writing = asyncio.create_task(write())
    while not writing.done() or {job: row["status"] for job, row in told.items()} != written:
        async with opened(client, log.campaign_id, headers={"Last-Event-ID": str(last)}) as stream:
            for _ in range(chance.randint(1, 40)):
                try:
                    async with asyncio.timeout(2):
                        found = await stream.event()
                except TimeoutError:
                    break
                assert found is not None
                assert found["revision"] > last
                told[found["job_id"]], last = found, found["revision"]
    await writing
    listed = (await client.get(f"/campaigns/{log.campaign_id}/logs?per_page=200")).json()
    assert listed["meta"]["pagination"]["total"] == len(told)
