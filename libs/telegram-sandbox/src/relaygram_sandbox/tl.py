"""Small bridges to Telethon's TL classes: reading requests, writing results, naming methods."""

import gzip
import struct
from typing import Any, NamedTuple

from telethon.errors import TypeNotFoundError
from telethon.extensions import BinaryReader
from telethon.tl import TLObject, functions
from telethon.tl.alltlobjects import LAYER
from telethon.tl.core import GzipPacked

from relaygram_sandbox.errors import TelegramError

__all__ = ["DC_ID", "LAYER", "Unwrapped", "method_name", "read_request", "result_body", "unwrap", "vector"]

DC_ID = 2  # the only data centre there is
_TRUE, _FALSE = struct.pack("<I", 0x997275B5), struct.pack("<I", 0xBC799737)
_VECTOR = 0x1CB5C415
_RPC_RESULT = 0xF35C6D01
_GZIP_FROM_BYTES = 1024
_METHOD_NAMES: dict[type, str] = {}
_MODULE_PREFIX = "telethon.tl.functions"


class Unwrapped(NamedTuple):
    """A request without the wrappings in which clients send it."""

    request: Any
    wants_updates: bool


def method_name(kind: type) -> str:
    """The TL name of a request's class: messages.sendMessage for SendMessageRequest."""
    name = _METHOD_NAMES.get(kind)
    if name is None:
        name = _METHOD_NAMES[kind] = _spelled(kind)
    return name


def _spelled(kind: type) -> str:
    bare = kind.__name__.removesuffix("Request")
    name = bare[:1].lower() + bare[1:]
    namespace = kind.__module__.removeprefix(_MODULE_PREFIX).removeprefix(".")
    return f"{namespace}.{name}" if namespace else name


def read_request(body: bytes) -> Any:
    """The TL object in a message; a TelegramError when there is none."""
    try:
        read = BinaryReader(body).tgread_object()
        return BinaryReader(read.data).tgread_object() if isinstance(read, GzipPacked) else read
    except TypeNotFoundError as error:
        raise TelegramError("INPUT_METHOD_INVALID") from error
    except Exception as error:  # Telethon's reader raises whatever a broken field leads to
        raise TelegramError("INPUT_FETCH_ERROR") from error


def unwrap(request: Any) -> Unwrapped:
    """Take off invokeWithLayer, initConnection and the like."""
    wants_updates = True
    while True:
        if isinstance(request, functions.InvokeWithoutUpdatesRequest):
            wants_updates = False
        elif not isinstance(
            request,
            (
                functions.InvokeWithLayerRequest,
                functions.InitConnectionRequest,
                functions.InvokeAfterMsgRequest,
                functions.InvokeAfterMsgsRequest,
            ),
        ):
            return Unwrapped(request, wants_updates)
        request = request.query
        if isinstance(request, GzipPacked):
            request = read_request(request.data)


def _serialized(value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, bool):
        return _TRUE if value else _FALSE
    if isinstance(value, list):
        return struct.pack("<Ii", _VECTOR, len(value)) + b"".join(map(_serialized, value))
    return bytes(value)


def vector(values: list[Any]) -> bytes:
    """A list of TL objects as bytes."""
    return _serialized(values)


def result_body(message_id: int, result: Any) -> bytes:
    """The rpc_result that answers a request, compressed when that pays."""
    body = _serialized(result)
    if len(body) >= _GZIP_FROM_BYTES:
        packed = struct.pack("<I", GzipPacked.CONSTRUCTOR_ID)
        packed += TLObject.serialize_bytes(gzip.compress(body, 1))
        body = min(body, packed, key=len)
    return struct.pack("<Iq", _RPC_RESULT, message_id) + body
