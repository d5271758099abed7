"""Bytes that break servers, through a real socket: each is refused with a clear 4xx, or answered as it should be."""

import asyncio
import json
from collections.abc import AsyncIterator

import httpx
import pytest

from relaygram_local_stack.servers import NatsServer
from tests.api.served import Process, served_api
from tests.support.servers import Database

LENGTH = "Content-Length: "
IS_JSON = "Content-Type: application/json"
CHUNKED = "Transfer-Encoding: chunked"


@pytest.fixture(scope="module")
async def hasty(database: Database, provisioned_nats: NatsServer) -> AsyncIterator[Process]:
    """An api that waits for nobody."""
    bounds = {"RELAYGRAM_REQUEST_HEAD_SECONDS": "1", "RELAYGRAM_UPLOAD_IDLE_SECONDS": "0.5"}
    async with served_api(database, provisioned_nats.url, **bounds) as running:
        yield running


async def answer_of(api: Process, *pieces: bytes) -> tuple[int, dict[str, str], bytes]:
    """Status, headers (lower-case) and body of the answer to these bytes."""
    head, _, body = (await api.raw(*pieces)).partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    return int(first.split()[1]), headers, body


async def demand(api: Process, status: int, *pieces: bytes) -> None:
    """This status, in the shape of all errors when it is one."""
    got, headers, body = await answer_of(api, *pieces)
    assert got == status, body
    if status >= 400:
        assert headers["content-type"] == "application/json"
        assert {"message", "code", "request_id"} <= set(json.loads(body))
        assert headers["x-request-id"] == json.loads(body)["request_id"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("//api/v1/me", 404), ("/api/v1//me", 404), ("/api/v1/../v1/me", 404), ("/api/v1/./me", 404),
        ("/api/v1/%2e%2e/v1/me", 404), ("/api/v1/me/", 404), ("/API/v1/me", 404), ("/api/v1/me%00", 404),
        ("/api/v1/me%0a", 404), ("/api/v1/me%0d%0aX-A:%20b", 404), ("/api/v1/me;x", 404), ("/api/v1\\me", 404),
        ("/api/v1/%", 404), ("/api/v1/%zz", 404), ("/api/v1/%ff%fe", 404), ("/api/v1/%c0%ae%c0%ae/me", 404),
        ("/docs/assets/..%2f..%2f..%2fetc/passwd", 404), ("/docs/assets/%00", 404), ("/docs/assets/", 404),
        ("/docs/assets//etc/passwd", 404), ("/docs/assets/....//....//etc/passwd", 404),
        (f"/api/v1/{'a' * 60_000}", 404), (f"/api/v1/campaigns?q={'a' * 60_000}", 422),
        (f"/api/v1/{'a' * 70_000}", 431), (f"/api/v1/campaigns?q={'a' * 70_000}", 431),
        ("http://elsewhere/api/v1/me", 200), ("/api/v1/me?", 200), ("/api/v1/me?&&==&", 200), ("*", 404), ("", 400),
        ("/api/v1/me\x01", 400), ("/api/v1/\xe9", 400),
    ],
)  # fmt: skip
async def test_paths(hasty: Process, path: str, status: int) -> None:
    head = hasty.head("GET", path, token=hasty.token).decode().encode("latin-1")
    await demand(hasty, status, head)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ([f"{LENGTH}2", f"{LENGTH}3"], 400), ([f"{LENGTH}-1"], 400), ([f"{LENGTH}1e1"], 400),
        ([f"{LENGTH}{'9' * 30}"], 400),
        ([f"{LENGTH}2", CHUNKED], 400), ([CHUNKED, "X: a\r\n folded"], 400), (["X\x00: a"], 400), (["X: a\x00"], 400),
        (["X: a\rb"], 400), (["X : a"], 400), ([": a"], 400), (["X: a\nSet-Cookie: b"], 400),
        ([f"X-{number}: {'a' * 1000}" for number in range(100)], 431), (["X: " + "a" * 70_000], 431),
    ],
)  # fmt: skip
async def test_headers(hasty: Process, headers: list[str], status: int) -> None:
    await demand(hasty, status, hasty.head("POST", "/api/v1/tokens", IS_JSON, *headers, token=hasty.token))


@pytest.mark.parametrize(
    ("method", "status"),
    [("OPTIONS", 405), ("TRACE", 405), ("CONNECT", 405), ("FOO", 400), ("PURGE", 405), ("get", 400)],
)
async def test_methods(hasty: Process, method: str, status: int) -> None:
    await demand(hasty, status, hasty.head(method, "/api/v1/me", token=hasty.token))


async def test_head_is_405_and_has_no_body(hasty: Process) -> None:
    head = hasty.head("HEAD", "/api/v1/me", "Connection: close", token=hasty.token)
    status, headers, body = await answer_of(hasty, head)
    assert (status, headers["allow"], body) == (405, "get", b"")


@pytest.mark.parametrize("version", ["HTTP/1.0", "HTTP/1.1"])
async def test_old_clients_are_answered(hasty: Process, version: str) -> None:
    head = hasty.head("GET", "/api/v1/me", token=hasty.token).replace(b"HTTP/1.1", version.encode())
    assert (await answer_of(hasty, head))[0] == 200


async def test_an_upgrade_is_not_made(hasty: Process) -> None:
    key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
    for headers in (
        ["Connection: Upgrade", "Upgrade: websocket", key, "Sec-WebSocket-Version: 13"],
        ["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"],
    ):
        assert (await answer_of(hasty, hasty.head("GET", "/api/v1/me", *headers, token=hasty.token)))[0] == 200


@pytest.mark.parametrize(
    "nonsense", [b"\x16\x03\x01\x02\x00\x01\x00", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\x00" * 50, b"GET\r\n\r\n"]
)
async def test_what_is_no_http_is_400(hasty: Process, nonsense: bytes) -> None:
    await demand(hasty, 400, nonsense)


async def test_expect_is_answered_with_continue_and_only_when_the_body_is_wanted(hasty: Process) -> None:
    body = b'{"name": "x"}'
    headers = (IS_JSON, f"{LENGTH}{len(body)}", "Expect: 100-continue")
    reader, writer = await asyncio.open_connection("127.0.0.1", hasty.port)
    writer.write(hasty.head("POST", "/api/v1/tokens", *headers, token=hasty.token))
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100 ")
    writer.write(body)
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 201 ")
    writer.close()
    too_large = (IS_JSON, f"{LENGTH}{10_000_000}", "Expect: 100-continue")
    await demand(hasty, 413, hasty.head("POST", "/api/v1/tokens", *too_large, token=hasty.token))


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ([b"zz\r\n"], 400), ([b"-1\r\n"], 400), ([b"ffffffffffffffffff\r\n"], 400), ([b"5\r\nabc"], 408), ([b""], 408),
        ([b"1\r\n \r\n" * 50], 408), ([b"10000\r\n" + b" " * 65536 + b"\r\n"] * 17, 413),
        ([b"2\r\n{}\r\n0\r\n\r\n"], 422), ([b"0\r\n\r\n"], 422),
    ],
)  # fmt: skip
async def test_chunked_bodies(hasty: Process, body: list[bytes], status: int) -> None:
    await demand(hasty, status, hasty.head("POST", "/api/v1/tokens", IS_JSON, CHUNKED, token=hasty.token), *body)


async def test_a_head_and_a_body_that_never_end_are_408(hasty: Process) -> None:
    await demand(hasty, 408, b"GET /api/v1/me HTTP/1.1\r\nX-A: b")
    await demand(hasty, 408, hasty.head("POST", "/api/v1/tokens", IS_JSON, f"{LENGTH}50", token=hasty.token), b"{")
    csv = ("Content-Type: text/csv", f"{LENGTH}5000")
    made = await _campaign(hasty)
    upload = hasty.head("POST", f"/api/v1/campaigns/{made}/contacts", *csv, token=hasty.token)
    await demand(hasty, 408, upload, b"handle\njane_doe\n")


async def test_many_silent_connections_hold_up_nobody_and_are_closed(hasty: Process) -> None:
    connections = [await asyncio.open_connection("127.0.0.1", hasty.port) for _ in range(300)]
    for _, writer in connections[::2]:
        writer.write(b"GET /api/v1/me HTTP/1.1\r\nX-")
    async with httpx.AsyncClient(base_url=hasty.url, headers={"Authorization": f"Bearer {hasty.token}"}) as client:
        answers = await asyncio.gather(*(client.get("/api/v1/me", timeout=5) for _ in range(20)))
    assert {answer.status_code for answer in answers} == {200}
    async with asyncio.timeout(10):
        ends = await asyncio.gather(*(reader.read() for reader, _ in connections))
    assert all(end == b"" or end.startswith(b"HTTP/1.1 408 ") for end in ends)
    for _, writer in connections:
        writer.close()


async def test_requests_sent_at_once_are_answered_in_order(hasty: Process) -> None:
    head = hasty.head("GET", "/api/v1/me", token=hasty.token)
    last = hasty.head("GET", "/api/v1/nothing", "Connection: close", token=hasty.token)
    reader, writer = await asyncio.open_connection("127.0.0.1", hasty.port)
    writer.write(head * 20 + last)
    answers = await reader.read(-1)
    writer.close()
    assert answers.count(b"HTTP/1.1 200 ") == 20
    assert answers.rindex(b"HTTP/1.1 404 ") > answers.rindex(b"HTTP/1.1 200 ")


async def test_who_hangs_up_leaves_nothing_behind(hasty: Process) -> None:
    made = await _campaign(hasty)
    upload = hasty.head(
        "POST", f"/api/v1/campaigns/{made}/contacts", "Content-Type: text/csv", f"{LENGTH}5000", token=hasty.token
    )
    for head in (upload, hasty.head("GET", "/api/v1/campaigns", token=hasty.token)):
        for _ in range(20):
            _, writer = await asyncio.open_connection("127.0.0.1", hasty.port)
            writer.write(head + b"handle\n")
            await writer.drain()
            writer.transport.abort()
    await demand(hasty, 200, hasty.head("GET", "/api/v1/me", "Connection: close", token=hasty.token))


async def _campaign(api: Process) -> int:
    async with httpx.AsyncClient(
        base_url=f"{api.url}/api/v1", headers={"Authorization": f"Bearer {api.token}"}
    ) as client:
        account = (await client.post("/telegram-accounts", json={"kind": "user", "phone": "+4915112345678"})).json()
        body = {"name": "x", "mode": "broadcast", "body": "x", "telegram_account_id": account["data"]["id"]}
        made: int = (await client.post("/campaigns", json=body)).json()["data"]["id"]
        return made
