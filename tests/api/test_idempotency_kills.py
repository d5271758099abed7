"""An api killed in the middle of keyed requests: nothing is doubled, and no key stays blocked."""

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial

import httpx
import pytest

from relaygram_local_stack.servers import NatsServer
from tests.api.served import environment, is_ready, start
from tests.api.support import Api, running_api
from tests.support.servers import Database
from tests.support.waiting import eventually

pytestmark = pytest.mark.faults
LEASE_SECONDS = 1.0


@pytest.fixture(scope="module")
async def survivor(database: Database, provisioned_nats: NatsServer) -> AsyncIterator[Api]:
    async with running_api(database, provisioned_nats.url, idempotency_lease_seconds=LEASE_SECONDS) as running:
        yield running


@asynccontextmanager
async def victim(api: Api, free_port: Callable[[], int]) -> AsyncIterator[tuple[httpx.AsyncClient, Callable[[], None]]]:
    """A client of a process, and how to kill that."""
    port, health_port = free_port(), free_port()
    env = environment(api.database, api.parts.settings.nats_url, port, health_port)
    running = start({**env, "RELAYGRAM_IDEMPOTENCY_LEASE_SECONDS": str(LEASE_SECONDS)})
    headers = {"Authorization": f"Bearer {api.token}"}
    try:
        await eventually(lambda: is_ready(health_port), 60)
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=30) as client:
            yield client, running.kill
    finally:
        running.kill()
        await asyncio.to_thread(running.communicate)


async def make_token(client: httpx.AsyncClient, name: str) -> httpx.Response:
    return await client.post("/api/v1/tokens", json={"name": name}, headers={"Idempotency-Key": name})


async def until_done(send: Callable[[], Awaitable[httpx.Response]]) -> httpx.Response:
    """Repeat as a careful client does."""

    async def answered() -> httpx.Response | None:
        answer = await send()
        assert answer.status_code != 409 or answer.json()["code"] == "idempotency_key_in_use"
        return None if answer.status_code == 409 else answer

    return await eventually(answered)


async def test_a_kill_inside_the_transaction_leaves_nothing_and_frees_the_key(
    survivor: Api, free_port: Callable[[], int]
) -> None:
    await survivor.sql(
        "create function control.stall() returns trigger language plpgsql as $$ begin if new.name = 'stalls' then "
        "perform pg_advisory_xact_lock(77); end if; return new; end $$"
    )
    await survivor.sql(
        "create trigger stall before insert on control.api_tokens for each row execute function control.stall()"
    )
    holder = await survivor.parts.database.pool.acquire()
    await holder.execute("begin; set local idle_in_transaction_session_timeout = 0; select pg_advisory_xact_lock(77)")
    try:
        async with victim(survivor, free_port) as (client, kill):
            request = asyncio.create_task(make_token(client, "stalls"))
            await eventually(
                lambda: survivor.sql("select true from pg_locks where locktype = 'advisory' and not granted")
            )
            kill()
            with pytest.raises(httpx.TransportError):
                await request
        began = time.monotonic()
        assert (await make_token(survivor.client, "stalls")).status_code == 409
    finally:
        await holder.execute("rollback")
        await survivor.parts.database.pool.release(holder)
    await survivor.sql("drop trigger stall on control.api_tokens")
    answer = await until_done(lambda: make_token(survivor.client, "stalls"))
    assert answer.status_code == 201
    assert time.monotonic() - began < LEASE_SECONDS + 5
    assert await survivor.sql("select count(*) from control.api_tokens where name = 'stalls'") == 1


@pytest.mark.parametrize("round_", range(3))
async def test_kills_at_any_moment_double_nothing_and_lose_no_answer(
    survivor: Api, free_port: Callable[[], int], round_: int
) -> None:
    names: list[str] = []
    answered: dict[str, httpx.Response] = {}
    async with victim(survivor, free_port) as (client, kill):

        async def make_many() -> None:
            with contextlib.suppress(httpx.TransportError):
                while True:
                    name = f"round-{round_}-{len(names)}"
                    names.append(name)
                    answered[name] = await make_token(client, name)

        requests = [asyncio.create_task(make_many()) for _ in range(8)]
        await eventually(lambda: len(answered) > 2)
        await asyncio.sleep(random.uniform(0, 0.1))  # noqa: S311
        kill()
        await asyncio.gather(*requests)
    again = await asyncio.gather(*(until_done(partial(make_token, survivor.client, name)) for name in names))
    for name, answer in zip(names, again, strict=True):
        assert answer.status_code == 201
        if name in answered:
            assert answer.content == answered[name].content
    made = "select count(*) from control.api_tokens where name like $1"
    assert await survivor.sql(made, f"round-{round_}-%") == len(names)


async def test_uploads_that_are_killed_at_any_moment_become_one_import_each(
    survivor: Api, free_port: Callable[[], int]
) -> None:
    campaign = await survivor.campaign()
    path = f"/api/v1/campaigns/{campaign['id']}/contacts"
    keys: list[str] = []
    lines = b"".join(b"person_%06d\n" % number for number in range(2000))

    async def upload(client: httpx.AsyncClient, key: str) -> httpx.Response:
        headers = {"Idempotency-Key": key, "Content-Type": "text/csv"}
        return await client.post(path, content=b"handle\n" + lines, headers=headers)

    async with victim(survivor, free_port) as (client, kill):
        done: list[httpx.Response] = []

        async def upload_many() -> None:
            with contextlib.suppress(httpx.TransportError):
                while True:
                    keys.append(f"upload-{len(keys)}")
                    done.append(await upload(client, keys[-1]))

        requests = [asyncio.create_task(upload_many()) for _ in range(4)]
        await eventually(lambda: len(done) > 1)
        await asyncio.sleep(random.uniform(0, 0.1))  # noqa: S311
        kill()
        await asyncio.gather(*requests)
    for key in keys:
        assert (await until_done(partial(upload, survivor.client, key))).status_code == 202
    whole = "select count(*) from control.imports where campaign_id = $1 and uploaded_at is not null"
    assert await survivor.sql(whole, campaign["id"]) == len(keys)


async def test_an_upload_longer_than_the_lease_keeps_its_key(survivor: Api) -> None:
    campaign = await survivor.campaign()

    async def slow() -> AsyncIterator[bytes]:
        yield b"handle\n"
        await asyncio.sleep(2.5 * LEASE_SECONDS)
        yield b"jane\n"

    path = f"/api/v1/campaigns/{campaign['id']}/contacts"
    headers = {"Idempotency-Key": "long", "Content-Type": "text/csv"}
    first = asyncio.create_task(survivor.client.post(path, content=slow(), headers=headers))
    await eventually(lambda: survivor.sql("select true from control.idempotency_keys where key = 'long'"))
    while not first.done():
        again = await survivor.client.post(path, content=b"handle\njane\n", headers=headers)
        assert again.status_code in (409, 202)
        await asyncio.sleep(0.2)
    assert (await first).status_code == 202
    assert await survivor.sql("select count(*) from control.imports where campaign_id = $1", campaign["id"]) == 1
