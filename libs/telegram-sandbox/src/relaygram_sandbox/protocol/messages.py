"""What is inside an encrypted packet: containers, compression, acknowledgements, pings, and requests."""

import struct
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, NamedTuple

from telethon.extensions import BinaryReader
from telethon.tl import functions, types
from telethon.tl.core import GzipPacked, MessageContainer

from relaygram_sandbox import clock
from relaygram_sandbox.protocol.framing import ProtocolViolationError
from relaygram_sandbox.tl import result_body

_HEADER = struct.Struct("<qqqii")
_INNER = struct.Struct("<qii")
_ACK = struct.pack("<I", types.MsgsAck.CONSTRUCTOR_ID)
_CONTAINER = struct.pack("<I", MessageContainer.CONSTRUCTOR_ID)
_GZIP = struct.pack("<I", GzipPacked.CONSTRUCTOR_ID)
_BAD_SERVER_SALT = 48


class Packet(NamedTuple):
    """The plain text of one packet."""

    salt: int
    session_id: int
    message_id: int
    body: bytes


def open_packet(plain: bytes) -> Packet:
    """Read the header of a decrypted packet."""
    if len(plain) < _HEADER.size:
        raise ProtocolViolationError("a packet without a header")
    salt, session_id, message_id, _, length = _HEADER.unpack_from(plain)
    if not 4 <= length <= len(plain) - _HEADER.size:
        raise ProtocolViolationError("a packet with a wrong length")
    return Packet(salt, session_id, message_id, plain[_HEADER.size : _HEADER.size + length])


def messages_in(message_id: int, body: bytes) -> Iterator[tuple[int, bytes]]:
    """Every message of a packet with its id; acknowledgements are left out, nothing here answers them."""
    tag = body[:4]
    if tag == _CONTAINER:
        position = 8
        for _ in range(int.from_bytes(body[4:8], "little")):
            if position + _INNER.size > len(body):
                raise ProtocolViolationError("a container that ends early")
            inner_id, _, length = _INNER.unpack_from(body, position)
            position += _INNER.size
            if not 4 <= length <= len(body) - position:
                raise ProtocolViolationError("a container with a wrong length")
            yield from messages_in(inner_id, body[position : position + length])
            position += length
    elif tag == _GZIP:
        yield from messages_in(message_id, GzipPacked.read(BinaryReader(body)))
    elif tag != _ACK:
        yield message_id, body


def wrong_salt(packet: Packet, salt: int) -> bytes:
    """Tells the client to send the whole packet again with the right salt."""
    return bytes(types.BadServerSalt(packet.message_id, 0, _BAD_SERVER_SALT, salt))


def service_answer(message_id: int, request: Any, salt: int) -> bytes | None:
    """The answer to a request of the protocol itself; None when it is one for Telegram.

    Empty bytes: it needs no answer.
    """
    if isinstance(request, (functions.PingRequest, functions.PingDelayDisconnectRequest)):
        return bytes(types.Pong(message_id, request.ping_id))
    if isinstance(request, functions.GetFutureSaltsRequest):
        now = clock.as_datetime(clock.now())
        salts = [types.FutureSalt(now, now + timedelta(days=1), salt)]
        return bytes(types.FutureSalts(message_id, now, salts))
    if isinstance(request, functions.DestroySessionRequest):
        return bytes(types.DestroySessionOk(request.session_id))
    if isinstance(request, functions.RpcDropAnswerRequest):
        return result_body(message_id, types.RpcAnswerUnknown())
    if isinstance(request, (types.MsgsStateInfo, types.MsgsAllInfo, types.MsgsStateReq, types.MsgResendReq)):
        return b""
    return None
