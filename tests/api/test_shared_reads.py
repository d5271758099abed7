"""Requests that ask the same share a reading, and nobody is answered from before the question."""

import asyncio
from uuid import UUID

import asyncpg
import pytest
from fastapi import Response

from relaygram_api.shared_reads import Known, SharedReads
from relaygram_local_stack.servers import NatsServer
from tests.api.log_rows import row, write_log
from tests.api.support import Api, running_api
from tests.support.servers import Database


class Store:
    """A value that is read slowly: a reading sees what was there when it began."""

    def __init__(self) -> None:
        self.value = 0
        self.readings = 0
        self.may_end = asyncio.Event()

    async def read(self) -> Response:
        seen = self.value
        self.readings += 1
        await self.may_end.wait()
        return Response(str(seen))


async def _begun(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_who_asks_while_the_same_is_read_is_answered_by_the_next_reading() -> None:
    reads, store = SharedReads(), Store()
    first = asyncio.create_task(reads.answer("k", store.read))
    await _begun(3)
    store.value = 1
    others = [asyncio.create_task(reads.answer("k", store.read)) for _ in range(5)]
    await _begun(3)
    assert store.readings == 1
    store.may_end.set()
    assert (await first).body == b"0"
    assert [(await other).body for other in others] == [b"1"] * 5
    assert store.readings == 2


async def test_who_asks_before_a_reading_has_begun_shares_it() -> None:
    reads, store = SharedReads(), Store()
    asked = [asyncio.create_task(reads.answer("k", store.read)) for _ in range(5)]
    store.may_end.set()
    assert [(await one).body for one in asked] == [b"0"] * 5
    assert store.readings == 1


async def test_other_questions_are_read_at_the_same_time() -> None:
    reads, store = SharedReads(), Store()
    both = [asyncio.create_task(reads.answer(key, store.read)) for key in "ab"]
    await _begun(3)
    assert store.readings == 2
    store.may_end.set()
    await asyncio.gather(*both)


async def test_one_who_hangs_up_takes_the_answer_from_nobody() -> None:
    reads, store = SharedReads(), Store()
    first, second, third = (asyncio.create_task(reads.answer("k", store.read)) for _ in range(3))
    await _begun(3)
    first.cancel()
    second.cancel()
    await _begun(3)
    store.may_end.set()
    assert (await third).body == b"0"


async def test_an_error_reaches_all_who_asked_and_nobody_later() -> None:
    reads, is_broken = SharedReads(), True

    async def read() -> Response:
        await asyncio.sleep(0)
        if is_broken:
            raise LookupError("no such thing")
        return Response("fine")

    both = await asyncio.gather(*(reads.answer("k", read) for _ in range(2)), return_exceptions=True)
    assert [type(one) for one in both] == [LookupError, LookupError]
    is_broken = False
    assert (await reads.answer("k", read)).body == b"fine"


async def test_meanings_are_forgotten_when_there_are_too_many() -> None:
    reads, store = SharedReads(), Store()
    for number in range(5000):
        reads.remember(number, Known(store.read, None))
    assert reads.known(0) is None
    assert reads.known(4999) is not None


async def test_a_write_is_in_every_answer_that_is_asked_for_after_it(api: Api) -> None:
    campaign = await api.campaign()
    path = f"/campaigns/{campaign['id']}"
    is_over = False

    async def poll() -> None:
        while not is_over:
            await api.data("GET", path)

    pollers = [asyncio.create_task(poll()) for _ in range(8)]
    try:
        for number in range(30):
            await api.data("PATCH", path, json={"name": f"name {number}"})
            assert (await api.data("GET", path))["name"] == f"name {number}"
    finally:
        is_over = True
        await asyncio.gather(*pollers)


@pytest.mark.parametrize("query", ["", "?order=desc", "?status=sent", "?changed_since=0", "?since_id=0"])
async def test_each_change_of_a_log_is_in_every_answer_that_is_asked_for_after_it(api: Api, query: str) -> None:
    campaign = (await api.campaign())["id"]
    path = f"/campaigns/{campaign}/logs{query}"
    texts: dict[UUID, str] = {}
    for number in range(12):
        # A new message, and another text for one that is there; twice the same answer in between.
        written = [row(campaign, "sent", body=f"new {number}")]
        if texts:
            written.append(
                row(campaign, "sent", job_id=next(iter(texts)), attempt=number + 1, body=f"changed {number}")
            )
        await write_log(api, written)
        texts |= {one["job_id"]: one["body"] for one in written}
        for _ in range(3):
            shown = await api.data("GET", path)
            assert {UUID(one["job_id"]): one["body"] for one in shown} == texts
    await _erase_first(api, campaign)
    assert None in [one["body"] for one in await api.data("GET", path)]


async def _erase_first(api: Api, campaign: int) -> None:
    """As the erasing of a person leaves a row."""
    connection = await asyncpg.connect(api.database.dsn)
    try:
        await connection.execute(
            """with erased as (
                   update delivery.messages set body = null, revision = revision + 1000
                    where campaign_id = $1 and position = 1 returning revision)
               update delivery.campaign_counters set last_revision = revision from erased where campaign_id = $1""",
            campaign,
        )
    finally:
        await connection.close()


@pytest.mark.parametrize("path", ["/campaigns", "/campaigns/{id}", "/campaigns/{id}/logs"])
async def test_a_request_seen_before_is_checked_like_a_new_one(api: Api, path: str) -> None:
    path = path.format(id=(await api.campaign())["id"])
    token = await api.token_with("campaigns:read", "logs:read")
    async with api.bearing(token) as client:
        first, second = [await client.get(f"/api/v1{path}") for _ in range(2)]
        assert first.content == second.content
        assert first.headers["x-request-id"] != second.headers["x-request-id"]
        named = await client.get(f"/api/v1{path}", headers={"X-Request-Id": "mine"})
        assert named.headers["x-request-id"] == "mine"
        await client.post("/api/v1/logout")
        assert (await client.get(f"/api/v1{path}")).status_code == 401
    async with api.bearing(await api.token_with("senders:read")) as client:
        assert [(await client.get(f"/api/v1{path}")).status_code for _ in range(2)] == [403, 403]


async def test_a_thing_that_goes_is_gone_for_who_asked_before(api: Api) -> None:
    path = f"/campaigns/{(await api.campaign())['id']}"
    await api.data("GET", path)
    await api.call("DELETE", path, status=204)
    await api.call("GET", path, status=404)


async def test_the_rate_limit_counts_requests_seen_before(database: Database, provisioned_nats: NatsServer) -> None:
    async with running_api(database, provisioned_nats.url, rate_limit_per_minute=10) as api:
        statuses = [(await api.client.get("/api/v1/campaigns")).status_code for _ in range(30)]
    assert statuses.count(429) >= 9
    assert set(statuses) == {200, 429}
