"""The pull subscription holds what was asked for and no more, also after the server was away."""

from collections.abc import AsyncIterator

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.api import AckPolicy, ConsumerConfig, StreamConfig

from relaygram_common.jetstream.acks import ack_all, delivery_key, in_progress, nak, term
from relaygram_common.jetstream.connection import Reconnects
from relaygram_common.jetstream.publisher import Outgoing, WindowPublisher
from relaygram_common.jetstream.pull import PullSubscription
from relaygram_local_stack.servers import NatsServer


@pytest.fixture
async def pulled(client: Client, reconnects: Reconnects) -> AsyncIterator[PullSubscription]:
    """On a consumer of a stream that takes `work.>`; both new for each test."""
    js = client.jetstream()
    await js.add_stream(StreamConfig(name="WORK", subjects=["work.>"]))
    await js.add_consumer("WORK", ConsumerConfig(durable_name="w", ack_policy=AckPolicy.EXPLICIT, ack_wait=1))
    subscription = PullSubscription(client, stream="WORK", consumer="w")
    reconnects.listen(subscription.reconnected)
    await subscription.start()
    yield subscription
    reconnects.forget(subscription.reconnected)
    await subscription.stop()
    await js.delete_stream("WORK")


async def _take(subscription: PullSubscription, number: int) -> list[Msg]:
    taken: list[Msg] = []
    for _ in range(100):
        taken += subscription.take(number - len(taken))
        if len(taken) == number:
            return taken
        await subscription.wait(0.1)
    raise AssertionError(f"{len(taken)} of {number} messages came")


async def _ack_pending(client: Client) -> int:
    return (await client.jetstream().consumer_info("WORK", "w")).num_ack_pending or 0


async def test_it_never_holds_more_than_was_asked_for(
    client: Client, publisher: WindowPublisher, pulled: PullSubscription
) -> None:
    await publisher.publish([Outgoing("work.x", b"%d" % number) for number in range(100)])
    await pulled.request(7, expires_seconds=2)
    await pulled.request(5, expires_seconds=2)
    assert [message.data for message in await _take(pulled, 12)] == [b"%d" % number for number in range(12)]
    assert pulled.requested == 0
    await pulled.wait(0.1)
    assert pulled.take(100) == []
    assert await _ack_pending(client) == 12


async def test_a_request_that_expires_is_not_counted_on(client: Client, pulled: PullSubscription) -> None:
    await pulled.request(10, expires_seconds=0.2)
    assert pulled.requested == 10
    for _ in range(20):
        await pulled.wait(0.1)
        if pulled.requested == 0:
            break
    assert (pulled.requested, pulled.last_status) == (0, "408")


async def test_a_consumer_that_is_gone_is_said(client: Client, pulled: PullSubscription) -> None:
    await client.jetstream().delete_consumer("WORK", "w")
    await pulled.request(1, expires_seconds=1)
    await pulled.wait(2)
    assert (pulled.requested, pulled.last_status) == (0, "503")


async def test_answers_do_what_they_say(client: Client, publisher: WindowPublisher, pulled: PullSubscription) -> None:
    await publisher.publish([Outgoing("work.x", b"%d" % number) for number in range(4)])
    await pulled.request(4, expires_seconds=2)
    acked, given_back, working, ended = await _take(pulled, 4)
    await ack_all(publisher, [acked])
    assert await _ack_pending(client) == 3  # noted when ack_all returns
    await term(client, ended)
    await nak(client, given_back, delay_seconds=0.1)
    await in_progress(client, working)
    await pulled.request(4, expires_seconds=3)
    first, second = await _take(pulled, 2)
    assert (first.data, second.data) == (b"1", b"2")  # `working` only after its ack_wait began anew
    assert delivery_key(first) == delivery_key(given_back) == "WORK:2"
    await ack_all(publisher, [first, second])
    assert await _ack_pending(client) == 0


async def test_after_the_server_was_killed_it_can_ask_anew(
    client: Client, publisher: WindowPublisher, pulled: PullSubscription, provisioned_nats: NatsServer
) -> None:
    await pulled.request(50, expires_seconds=30)
    await client.flush()
    provisioned_nats.kill()
    provisioned_nats.start()
    await publisher.publish([Outgoing("work.x", b"after")])
    for _ in range(50):
        if pulled.requested == 0:
            break
        await pulled.wait(0.1)
    await pulled.request(1, expires_seconds=5)
    assert (await _take(pulled, 1))[0].data == b"after"
