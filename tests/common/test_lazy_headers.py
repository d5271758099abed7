"""Headers that are read when somebody asks are those that nats-py would have read at once."""

import asyncio

import nats
from nats.aio.client import Client
from nats.aio.msg import Msg

from relaygram_common.jetstream.lazy_headers import LazyHeaders, read_headers_lazily
from relaygram_local_stack.servers import NatsServer

_HEADERS = {"ce-type": "com.relaygram.delivery.sent.v1", "Nats-Msg-Id": "7", "name": "Jürgen: Ä"}


async def test_headers_are_the_same_read_late(nats_server: NatsServer) -> None:
    client = await nats.connect(nats_server.url)
    other = await nats.connect(nats_server.url)
    read_headers_lazily(client)
    try:
        late, now = [await _receiver(one) for one in (client, other)]
        await other.publish("lazy.headers", b"text", headers=_HEADERS)
        await other.publish("lazy.headers", b"text")
        received = [await asyncio.wait_for(late.get(), 5) for _ in range(2)]
        expected = [await asyncio.wait_for(now.get(), 5) for _ in range(2)]
    finally:
        await client.close()
        await other.close()
    assert isinstance(received[0].headers, LazyHeaders)
    assert dict(received[0].headers) == expected[0].headers == _HEADERS
    assert received[0].headers.get("Nats-Msg-Id") == "7"
    assert received[1].headers is None


async def test_what_the_server_says_is_read_at_once(nats_server: NatsServer) -> None:
    client = await nats.connect(nats_server.url)
    read_headers_lazily(client)
    try:
        told: asyncio.Future[Msg] = asyncio.get_running_loop().create_future()

        async def on_message(message: Msg) -> None:
            told.set_result(message)

        await client.subscribe("lazy.answer", cb=on_message)
        await client.publish("nobody.listens", reply="lazy.answer")
        headers = (await asyncio.wait_for(told, 5)).headers
        assert headers is not None
        assert headers["Status"] == "503"
    finally:
        await client.close()


async def _receiver(client: Client) -> "asyncio.Queue[Msg]":
    queue: asyncio.Queue[Msg] = asyncio.Queue()
    await client.subscribe("lazy.headers", cb=queue.put)
    await client.flush()
    return queue
