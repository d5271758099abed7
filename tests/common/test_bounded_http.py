"""What a server takes before it knows a request: so much time, so many bytes, so many connections."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest

from relaygram_common.bounded_http import MOST_HEAD_BYTES, BoundedHttp
from relaygram_common.health import http_server, listen
from relaygram_common.runner import serving

GOOD = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
RESET = b"(reset)"
LAST = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


async def _application(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


@pytest.fixture
async def port() -> AsyncIterator[int]:
    """A server that waits 0.3 s for a head and takes three connections."""
    server = http_server(_application, shutdown_seconds=1)
    server.config.http = partial(BoundedHttp, head_seconds=0.3, connections=3)  # type: ignore[assignment]  # as there
    socket = listen("127.0.0.1", 0, setting="PORT")
    async with serving(server, socket):
        yield socket.getsockname()[1]


async def ask(port: int, *pieces: bytes, pause: float = 0.0) -> bytes:
    """All that is answered until the server hangs up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for piece in pieces:
            writer.write(piece)
            await asyncio.sleep(pause)
        async with asyncio.timeout(5):
            return await reader.read()
    except ConnectionError:
        return RESET
    finally:
        writer.close()


async def test_a_connection_that_says_nothing_is_closed(port: int) -> None:
    assert await ask(port) == b""
    assert await ask(port, *[b"\r\n"] * 12, pause=0.05) in (b"", RESET)


async def test_a_head_that_comes_byte_by_byte_is_408(port: int) -> None:
    begun = asyncio.get_running_loop().time()
    answer = await ask(port, *[bytes([byte]) for byte in GOOD[:20]], pause=0.04)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b'"code": "too_slow"' in answer
    assert asyncio.get_running_loop().time() - begun < 2


async def test_the_second_request_of_a_connection_is_bounded_too(port: int) -> None:
    answer = await ask(port, GOOD, GOOD[:10], pause=0.05)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"HTTP/1.1 408 " in answer


@pytest.mark.parametrize(
    "head",
    [
        pytest.param([GOOD[:-2], b"X: " + b"a" * MOST_HEAD_BYTES + b"\r\n\r\n"], id="one long line"),
        pytest.param([GOOD[:-2], b"X: a\r\n" * MOST_HEAD_BYTES], id="many lines"),
        pytest.param([GOOD[:-2], *[b"X: " + b"a" * 4000 + b"\r\n"] * 40, b"\r\n"], id="in many pieces"),
        pytest.param([b"GET /" + b"a" * MOST_HEAD_BYTES + b" HTTP/1.1\r\n\r\n"], id="a long path"),
        pytest.param([b"GET /", *[b"a" * 4000] * 40], id="a path without end"),
    ],
)
async def test_a_large_head_is_431(port: int, head: list[bytes]) -> None:
    answer = await ask(port, *head)
    assert answer.startswith(b"HTTP/1.1 431 ")
    assert b'"code": "head_too_large"' in answer
    assert answer.count(b"HTTP/1.1") == 1


async def test_what_is_no_http_is_400_in_the_shape_of_all_errors(port: int) -> None:
    without_host, twice = GOOD.replace(b"Host: a\r\n", b""), GOOD.replace(b"Host: a", b"Host: a\r\nHost: a")
    for nonsense in (b"\x16\x03\x01\x02\x00\x01", b"nonsense\r\n\r\n", b"Ho st" + GOOD, without_host, twice):
        answer = await ask(port, nonsense)
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert b'"request_id": "' in answer


async def test_a_connection_too_many_is_503_and_there_is_room_again_when_others_end(port: int) -> None:
    others = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
    refused = await ask(port, GOOD)
    assert refused.startswith(b"HTTP/1.1 503 ")
    assert b"Retry-After: 1" in refused
    for _, writer in others:
        writer.close()
    await asyncio.sleep(0.1)
    assert (await ask(port, LAST)).startswith(b"HTTP/1.1 200 ")


async def test_requests_in_one_piece_and_one_after_another_are_answered(port: int) -> None:
    answer = await ask(port, GOOD + GOOD, LAST, pause=0.1)
    assert answer.count(b"HTTP/1.1 200 ") == 3
