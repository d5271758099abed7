"""examples/bridge/bridge.py as it is, a process of its own, before a real api: reports become delivery events."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import httpx
import pytest

from relaygram_local_stack import ports
from relaygram_local_stack.servers import NatsServer
from tests.api.served import Process, served_api
from tests.examples.running_bridge import SECRET, bridge, report
from tests.support.servers import Database
from tests.support.waiting import eventually

TAKEN = "select count(*) from control.taken_events"


@pytest.fixture(scope="module")
async def api(database: Database, provisioned_nats: NatsServer) -> AsyncIterator[Process]:
    async with served_api(database, provisioned_nats.url) as running:
        yield running


@pytest.fixture(scope="module")
async def gateway(api: Process) -> AsyncIterator[httpx.AsyncClient]:
    """The other gateway, which calls the bridge."""
    port = ports.free_port(frozenset())
    headers = {"X-Bridge-Secret": SECRET}
    with bridge(api.url, api.token, port) as running:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=60) as client:
            await eventually(lambda: listens(client))
            yield client
        running.terminate()
        _, errors = await asyncio.to_thread(running.communicate, timeout=30)
        assert running.returncode == 0, errors.decode()
        assert b"Traceback" not in errors


async def listens(client: httpx.AsyncClient) -> bool:
    try:
        return (await client.get("/reports")).status_code == 405
    except httpx.TransportError:
        return False


async def test_reports_are_taken_once_however_often_they_come(gateway: httpx.AsyncClient, database: Database) -> None:
    reports = [report(number, status) for number in range(100) for status in ("SENT", "DELIVERED")]
    answers = await asyncio.gather(*(gateway.post("/reports", json=one) for one in reports * 2))
    assert {answer.status_code for answer in answers} == {200}
    connection = await asyncpg.connect(database.dsn)
    assert await connection.fetchval(TAKEN) == 200
    await connection.close()


async def test_a_report_is_told_in_our_words(
    gateway: httpx.AsyncClient, database: Database, provisioned_nats: NatsServer
) -> None:
    """With NATS away the event is still to be seen in the outbox."""
    provisioned_nats.kill()
    price = {"pricePerMessage": 0.07, "currency": "EUR"}
    told = report(1000, "REJECTED", **{"from": "ACME", "text": "Hello", "errorCode": 7, "price": price})
    assert (await gateway.post("/reports", json=told)).status_code == 200
    connection = await asyncpg.connect(database.dsn)
    body = await connection.fetchrow(
        "select body ->> 'state' as state, body ->> 'channel' as channel, body ->> 'sender' as sender,"
        " body ->> 'body' as text, body -> 'error' ->> 'code' as code, body -> 'price' ->> 'currency' as currency"
        " from control.outbox where body ->> 'state' = 'failed'"
    )
    await connection.close()
    provisioned_nats.start()
    assert body is not None
    assert dict(body) == {
        "state": "failed", "channel": "sms", "sender": "ACME", "text": "Hello", "code": "7", "currency": "EUR",
    }  # fmt: skip


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"7", b"{}", b'{"id": "1"}', b'{"id": "1", "status": "LOST"}', b'{"id": 1, "status": []}',
     b'{"id": "1", "status": "SENT", "text": "\\ud83d"}', b"[" * 8000, b"\xff"],
)  # fmt: skip
async def test_what_is_no_report_is_refused(gateway: httpx.AsyncClient, content: bytes) -> None:
    assert (await gateway.post("/reports", content=content)).status_code == 400


async def test_who_does_not_know_the_secret_is_refused(gateway: httpx.AsyncClient) -> None:
    for secret in ("", "wrong", "Ä"):
        headers = httpx.Headers({"X-Bridge-Secret": secret}, encoding="latin-1")
        assert (await gateway.post("/reports", json=report(1), headers=headers)).status_code == 401
    assert (await gateway.post("/reports", content=b" " * 8193)).status_code == 413


async def test_what_relaygram_rejects_is_not_asked_for_again(gateway: httpx.AsyncClient) -> None:
    answers = await asyncio.gather(
        gateway.post("/reports", json=report(1, at="yesterday")), gateway.post("/reports", json=report(1001))
    )
    assert {answer.status_code for answer in answers} == {200}


async def test_while_relaygram_is_away_the_gateway_is_asked_to_report_again(api: Process) -> None:
    nobody, port = ports.free_port(frozenset()), ports.free_port(frozenset({api.port}))
    with bridge(f"http://127.0.0.1:{nobody}", api.token, port) as running:
        headers = {"X-Bridge-Secret": SECRET}
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=60) as client:
            await eventually(lambda: listens(client))
            answers = await asyncio.gather(*(client.post("/reports", json=report(number)) for number in range(3)))
            assert {answer.status_code for answer in answers} == {503}
            assert answers[0].headers["Retry-After"]
        running.terminate()
        _, errors = await asyncio.to_thread(running.communicate, timeout=30)
        assert running.returncode == 0
        assert b"not handed over" in errors


async def test_a_report_under_way_is_answered_before_the_bridge_ends(api: Process, database: Database) -> None:
    port = ports.free_port(frozenset({api.port}))
    connection, observer = await asyncpg.connect(database.dsn), await asyncpg.connect(database.dsn)
    headers = {"X-Bridge-Secret": SECRET}
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=60) as client:
        with bridge(api.url, api.token, port) as running:
            await eventually(lambda: listens(client))
            async with connection.transaction():
                await connection.execute("lock table control.taken_events in exclusive mode")
                under_way = asyncio.create_task(client.post("/reports", json=report(2000)))
                waiting = "select exists (select from pg_locks where relation = $1::regclass and not granted)"
                await eventually(lambda: observer.fetchval(waiting, "control.taken_events"))
                running.terminate()
                await eventually(lambda: refuses(port))
            assert (await under_way).status_code == 200
            await asyncio.to_thread(running.communicate, timeout=30)
            assert running.returncode == 0
    for one in (connection, observer):
        await one.close()


async def refuses(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except ConnectionRefusedError:
        return True
    writer.close()
    return False


async def test_the_rate_limit_makes_batches_larger_and_refuses_nobody(
    database: Database, provisioned_nats: NatsServer
) -> None:
    limit = {"RELAYGRAM_RATE_LIMIT_PER_MINUTE": "60"}
    async with served_api(database, provisioned_nats.url, **limit) as slow:
        port = ports.free_port(frozenset({slow.port, slow.health_port}))
        with bridge(slow.url, slow.token, port):
            headers = {"X-Bridge-Secret": SECRET}
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=60) as client:
                await eventually(lambda: listens(client))
                for number in range(3000, 3120):  # as many as may come in a burst, one at a time
                    assert (await client.post("/reports", json=report(number))).status_code == 200
                rest = (client.post("/reports", json=report(number)) for number in range(3120, 3500))
                answers = await asyncio.gather(*rest)
    assert {answer.status_code for answer in answers} == {200}
