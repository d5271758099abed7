"""The TCP transports of MTProto: full, abridged, intermediate, padded, and the obfuscated wrapping of the last three.

Sans I/O: bytes of the socket go in, whole payloads come out, and the other way round.
"""

import struct
from collections.abc import Iterator
from typing import Protocol
from zlib import crc32

from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext, algorithms, modes

MAX_PAYLOAD_BYTES = 16 * 1024 * 1024
_OBFUSCATED_HEADER_BYTES = 64


class ProtocolViolationError(Exception):
    """The peer sent what no MTProto client sends; its connection is closed."""


class Framing(Protocol):
    """One way of marking where a payload begins and ends."""

    def take(self, buffer: bytearray) -> bytes | None:
        """Remove and return the first payload, or None while it is incomplete."""

    def frame(self, payload: bytes) -> bytes:
        """The payload as it goes onto the socket."""


def _checked_length(length: int, least: int = 4) -> int:
    if not least <= length <= MAX_PAYLOAD_BYTES:
        raise ProtocolViolationError(f"a payload of {length} bytes")
    return length


def _cut(buffer: bytearray, start: int, end: int) -> bytes | None:
    if len(buffer) < end:
        return None
    payload = bytes(buffer[start:end])
    del buffer[:end]
    return payload


class FullFraming:
    """Length, sequence number, payload and a checksum: Telethon's default."""

    def __init__(self) -> None:
        self._sent = 0

    def take(self, buffer: bytearray) -> bytes | None:
        if len(buffer) < 8:
            return None
        length = _checked_length(int.from_bytes(buffer[:4], "little", signed=True), least=16)
        packet = _cut(buffer, 0, length)
        if packet is None:
            return None
        if crc32(packet[:-4]) != int.from_bytes(packet[-4:], "little"):
            raise ProtocolViolationError("a wrong checksum")
        return packet[8:-4]

    def frame(self, payload: bytes) -> bytes:
        packet = struct.pack("<ii", len(payload) + 12, self._sent) + payload
        self._sent += 1
        return packet + crc32(packet).to_bytes(4, "little")


class AbridgedFraming:
    """The length in words, in one byte or four."""

    def take(self, buffer: bytearray) -> bytes | None:
        if not buffer:
            return None
        words, start = buffer[0] & 0x7F, 1
        if words == 0x7F:
            if len(buffer) < 4:
                return None
            words, start = int.from_bytes(buffer[1:4], "little"), 4
        return _cut(buffer, start, start + _checked_length(words * 4))

    def frame(self, payload: bytes) -> bytes:
        words = len(payload) >> 2
        head = bytes((words,)) if words < 0x7F else b"\x7f" + words.to_bytes(3, "little")
        return head + payload


class IntermediateFraming:
    """The length in four bytes; in the padded kind up to three bytes of noise follow the payload."""

    def __init__(self, padded: bool) -> None:
        self._padded = padded

    def take(self, buffer: bytearray) -> bytes | None:
        if len(buffer) < 4:
            return None
        length = _checked_length(int.from_bytes(buffer[:4], "little") & 0x7FFFFFFF)
        payload = _cut(buffer, 4, 4 + length)
        if payload is not None and self._padded:
            return payload[: length - length % 4]
        return payload

    def frame(self, payload: bytes) -> bytes:
        return len(payload).to_bytes(4, "little") + payload


def _framing_by_tag(tag: bytes) -> Framing:
    if tag[:1] == b"\xef":
        return AbridgedFraming()
    if tag == b"\xee" * 4:
        return IntermediateFraming(padded=False)
    if tag == b"\xdd" * 4:
        return IntermediateFraming(padded=True)
    raise ProtocolViolationError("an unknown transport")


class Transport:
    """Recognises the client's transport by its first bytes and then speaks it."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._framing: Framing | None = None
        self._decryptor: CipherContext | None = None
        self._encryptor: CipherContext | None = None

    def receive(self, data: bytes) -> Iterator[bytes]:
        """Yield every payload that is complete with this data."""
        self._buffer += self._decryptor.update(data) if self._decryptor else data
        framing = self._framing or self._detect()
        if framing is None:
            return
        while (payload := framing.take(self._buffer)) is not None:
            yield payload

    def frame(self, payload: bytes) -> bytes:
        """The payload as this client's transport carries it."""
        if self._framing is None:
            raise ProtocolViolationError("an answer before any request")
        data = self._framing.frame(payload)
        return self._encryptor.update(data) if self._encryptor else data

    def _detect(self) -> Framing | None:
        head = bytes(self._buffer[:8])
        if head[:1] == b"\xef":
            self._framing = AbridgedFraming()
            del self._buffer[:1]
        elif len(head) >= 4 and head[:4] in (b"\xee" * 4, b"\xdd" * 4):
            self._framing = _framing_by_tag(head[:4])
            del self._buffer[:4]
        elif len(head) == 8 and head[4:] == b"\0\0\0\0":
            self._framing = FullFraming()
        elif len(self._buffer) >= _OBFUSCATED_HEADER_BYTES:
            self._framing = self._start_obfuscation()
        return self._framing

    def _start_obfuscation(self) -> Framing:
        header = bytes(self._buffer[:_OBFUSCATED_HEADER_BYTES])
        backwards = header[55:7:-1]
        decryptor = Cipher(algorithms.AES(header[8:40]), modes.CTR(header[40:56])).decryptor()
        encryptor = Cipher(algorithms.AES(backwards[:32]), modes.CTR(backwards[32:48])).encryptor()
        framing = _framing_by_tag(decryptor.update(header)[56:60])
        self._buffer = bytearray(decryptor.update(bytes(self._buffer[_OBFUSCATED_HEADER_BYTES:])))
        self._decryptor, self._encryptor = decryptor, encryptor
        return framing
