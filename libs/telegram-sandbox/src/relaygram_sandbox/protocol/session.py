"""One session of a client: numbering of what the server sends, and the queue of it until the next commit."""

import struct
from typing import TYPE_CHECKING, NamedTuple

from telethon.tl.core import MessageContainer

from relaygram_sandbox import clock
from relaygram_sandbox.protocol.crypto import encrypt_to_client
from relaygram_sandbox.protocol.keys import AuthKey

if TYPE_CHECKING:
    from relaygram_sandbox.protocol.connection import ClientConnection

_CONTAINER_MESSAGES = 100
_CONTAINER_BYTES = 512 * 1024
_SEEN_KEPT = 512
RESPONSE, NOTIFICATION = 1, 3


class MessageIds:
    """Server message ids: the time in 2^-32 s, strictly growing; the last two bits tell answers from pushes."""

    def __init__(self) -> None:
        self._last = 0

    def next(self, kind: int) -> int:
        """A new id of that kind."""
        made = (int(clock.now() * 2**32) & ~3) | kind
        if made <= self._last:
            made = ((self._last & ~3) + 4) | kind
        self._last = made
        return made


class Outgoing(NamedTuple):
    """One message on its way to the client."""

    body: bytes
    kind: int
    is_content: bool


class Session:
    """Belongs to a key; uses one connection at a time, the one it was last heard on."""

    __slots__ = (
        "_content_sent",
        "_ids",
        "_seen",
        "connection",
        "id",
        "is_announced",
        "key",
        "queue",
        "wants_updates",
    )

    def __init__(self, session_id: int, key: AuthKey, ids: MessageIds) -> None:
        self.id = session_id
        self.key = key
        self.connection: ClientConnection | None = None
        self.queue: list[Outgoing] = []
        self.wants_updates = True
        self.is_announced = False
        self._content_sent = 0
        self._ids = ids
        self._seen: dict[int, None] = {}

    def is_repeated(self, message_id: int) -> bool:
        """Whether this message of the client was here before; notes it for the next time."""
        if message_id in self._seen:
            return True
        self._seen[message_id] = None
        if len(self._seen) > _SEEN_KEPT:
            del self._seen[next(iter(self._seen))]
        return False

    def packets(self) -> list[bytes]:
        """Everything queued, encrypted; several messages share a packet."""
        queued, self.queue = self.queue, []
        packets: list[bytes] = []
        part: list[Outgoing] = []
        size = 0
        for message in queued:
            if part and (len(part) == _CONTAINER_MESSAGES or size + len(message.body) > _CONTAINER_BYTES):
                packets.append(self._packet(part))
                part, size = [], 0
            part.append(message)
            size += len(message.body)
        if part:
            packets.append(self._packet(part))
        return packets

    def _packet(self, part: list[Outgoing]) -> bytes:
        if len(part) == 1:
            return self._encrypt(part[0])
        inner = [struct.pack("<Ii", MessageContainer.CONSTRUCTOR_ID, len(part))]
        for body, kind, is_content in part:
            inner.append(struct.pack("<qii", self._ids.next(kind), self._number(is_content), len(body)))
            inner.append(body)
        return self._encrypt(Outgoing(b"".join(inner), RESPONSE, is_content=False))

    def _encrypt(self, message: Outgoing) -> bytes:
        head = struct.pack(
            "<qqqii",
            self.key.salt,
            self.id,
            self._ids.next(message.kind),
            self._number(message.is_content),
            len(message.body),
        )
        return encrypt_to_client(self.key.id, self.key.secret, head + message.body)

    def _number(self, is_content: bool) -> int:
        number = self._content_sent * 2 + is_content
        self._content_sent += is_content
        return number
