"""Answers to a delivered message."""

from collections.abc import Sequence

import orjson
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import ConnectionClosedError

from relaygram_common.jetstream.publisher import Outgoing, WindowPublisher


async def ack_all(publisher: WindowPublisher, messages: list[Msg]) -> None:
    """Acknowledge and wait until the server has noted it (`ack_sync`, windowed). Raises PublishError."""
    await publisher.publish([Outgoing(message.reply, b"+ACK") for message in messages])


async def ack_unheard(client: Client, messages: Sequence[Msg]) -> None:
    """Acknowledge, in one piece: by `publish` each acknowledgement costs as much as a message. Those that are lost let
    their messages come again."""
    if client.is_closed:
        raise ConnectionClosedError
    await client._send_command(b"".join([b"PUB %b 4\r\n+ACK\r\n" % message.reply.encode() for message in messages]))
    await client._flush_pending()


async def nak(client: Client, message: Msg, *, delay_seconds: float = 0.0) -> None:
    """Give a message back, to be delivered again, at the earliest after the delay."""
    body = b"-NAK " + orjson.dumps({"delay": int(delay_seconds * 1e9)}) if delay_seconds else b"-NAK"
    await client.publish(message.reply, body)


async def in_progress(client: Client, message: Msg) -> None:
    """Start the consumer's ack_wait anew: this is being worked on."""
    await client.publish(message.reply, b"+WPI")


async def term(client: Client, message: Msg) -> None:
    """Never deliver this message again; copy it to DEAD_LETTERS before."""
    await client.publish(message.reply, b"+TERM")


def delivery_key(message: Msg) -> str:
    """`<stream>:<sequence>` of a delivered message, from its reply subject ($JS.ACK.…)."""
    tokens = message.reply.split(".")
    # $JS.ACK.<stream>.<consumer>.… (9 tokens) or $JS.ACK.<domain>.<account>.<stream>.<consumer>.… (11 or 12)
    first = 2 if len(tokens) == 9 else 4
    return f"{tokens[first]}:{tokens[first + 3]}"
