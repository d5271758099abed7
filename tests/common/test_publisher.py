"""The windowed publisher: it returns when everything is stored, or says that it is not."""

import asyncio

import pytest
from nats.aio.client import Client
from nats.js.api import StreamConfig

from relaygram_common.jetstream.publisher import Outgoing, PublishError, WindowPublisher
from relaygram_local_stack.servers import NatsServer


async def _stored(client: Client, stream: str) -> int:
    return (await client.jetstream().stream_info(stream)).state.messages


async def test_everything_is_stored_in_order_when_it_returns(client: Client, publisher: WindowPublisher) -> None:
    js = client.jetstream()
    await js.add_stream(StreamConfig(name="ORDER", subjects=["order.>"]))
    await publisher.publish([Outgoing("order.a", b"%d" % number, {"N": str(number)}) for number in range(5000)])
    assert await _stored(client, "ORDER") == 5000
    last = await js.get_last_msg("ORDER", "order.a")
    assert (last.data, (last.headers or {})["N"]) == (b"4999", "4999")
    await publisher.publish([])


async def test_several_callers_share_one_window(client: Client) -> None:
    await client.jetstream().add_stream(StreamConfig(name="SHARED", subjects=["shared.>"]))
    narrow = WindowPublisher(client, window=3)
    await narrow.start()
    await asyncio.gather(*(narrow.publish([Outgoing("shared.x", b"")] * 200) for _ in range(5)))
    assert await _stored(client, "SHARED") == 1000
    await narrow.stop()


async def test_a_subject_that_no_stream_takes_is_an_error(client: Client) -> None:
    hasty = WindowPublisher(client, ack_timeout_seconds=0.3, tries=2)
    await hasty.start()
    with pytest.raises(PublishError, match=r"1 of 1 messages to nobody\.listens: no stream"):
        await hasty.publish([Outgoing("nobody.listens", b"")])
    await hasty.stop()


async def test_a_full_stream_is_back_pressure_and_what_fits_is_kept(client: Client) -> None:
    await client.jetstream().add_stream(StreamConfig(name="FULL", subjects=["full.>"], max_msgs=3, discard="new"))  # type: ignore[arg-type]  # nats-py takes the text as well
    hasty = WindowPublisher(client, tries=2)
    await hasty.start()
    with pytest.raises(PublishError, match=r"2 of 5 messages to full\.x: maximum messages exceeded"):
        await hasty.publish([Outgoing("full.x", b"")] * 5)
    assert await _stored(client, "FULL") == 3
    await hasty.stop()


async def test_a_message_that_the_client_refuses_holds_no_place_in_the_window(client: Client) -> None:
    narrow = WindowPublisher(client, window=2, ack_timeout_seconds=0.2, tries=1)
    await narrow.start()
    await client.jetstream().add_stream(StreamConfig(name="BIG", subjects=["big.>"]))
    for _ in range(3):
        with pytest.raises(PublishError):
            await narrow.publish([Outgoing("big.x", b"x" * 2_000_000)])
    await narrow.publish([Outgoing("big.x", b"small")] * 5)
    assert await _stored(client, "BIG") == 5
    await narrow.stop()


async def test_a_server_killed_in_the_middle_loses_nothing(
    client: Client, publisher: WindowPublisher, provisioned_nats: NatsServer
) -> None:
    js = client.jetstream()
    await js.add_stream(StreamConfig(name="KILLED", subjects=["killed.>"]))
    publishing = asyncio.create_task(
        publisher.publish([Outgoing("killed.x", b"%d" % number) for number in range(20_000)])
    )
    await asyncio.sleep(0.05)
    provisioned_nats.kill()
    provisioned_nats.start()
    await asyncio.wait_for(publishing, 30)
    found, subscription = set(), await js.subscribe("killed.x", ordered_consumer=True)
    stored = await _stored(client, "KILLED")
    assert stored >= 20_000  # an acknowledgement that was lost stores a message twice; receivers know it by its id
    for _ in range(stored):
        found.add((await subscription.next_msg(5)).data)
    await subscription.unsubscribe()
    assert len(found) == 20_000
