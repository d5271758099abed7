"""The MTProto server: packets in, requests to the handler, answers and updates out."""

import logging
import secrets
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from telethon.tl import types

from relaygram_sandbox import clock
from relaygram_sandbox.errors import TelegramError
from relaygram_sandbox.protocol.connection import ClientConnection
from relaygram_sandbox.protocol.crypto import ServerKey, decrypt_from_client
from relaygram_sandbox.protocol.framing import ProtocolViolationError
from relaygram_sandbox.protocol.handshake import Handshake
from relaygram_sandbox.protocol.keys import AuthKey, KeyRing
from relaygram_sandbox.protocol.messages import Packet, messages_in, open_packet, service_answer, wrong_salt
from relaygram_sandbox.protocol.outbox import Outbox
from relaygram_sandbox.protocol.session import NOTIFICATION, RESPONSE, MessageIds, Outgoing, Session
from relaygram_sandbox.tl import read_request, result_body, unwrap

log = logging.getLogger(__name__)
_UNKNOWN_KEY = -404
_NO_KEY = bytes(8)
# Clients ping once a minute; one that was not heard for this long is gone without a word.
_SILENT_SECONDS = 300


@dataclass(slots=True)
class Request:
    """One request to Telegram, with everything it came with."""

    body: Any
    message_id: int
    arrived_at: float
    key: AuthKey
    session: Session
    connection: ClientConnection


class MTProtoServer:
    """Owns the connections. What requests mean is the handler's business."""

    def __init__(self, server_key: ServerKey, keys: KeyRing, outbox: Outbox) -> None:
        self.server_key = server_key
        self.keys = keys
        self.outbox = outbox
        self.connections: set[ClientConnection] = set()
        self.handle: Callable[[Request], None]
        self._ids = MessageIds()

    def accept_connection(self) -> ClientConnection:
        """The protocol factory for the event loop's server."""
        return ClientConnection(self)

    def receive(self, connection: ClientConnection, payload: bytes, arrived_at: float) -> None:
        """One payload of a client."""
        if len(payload) < 24:
            raise ProtocolViolationError("a payload that is too short")
        if payload[:8] == _NO_KEY:
            self._continue_handshake(connection, payload)
            return
        key = self.keys.find(payload[:8])
        if key is None:
            connection.send_transport_error(_UNKNOWN_KEY)
            return
        plain = decrypt_from_client(key.secret, payload)
        if plain is None:
            raise ProtocolViolationError("a packet that its key did not make")
        self._open(connection, key, open_packet(plain), arrived_at)

    def respond(self, request: Request, result: Any) -> None:
        """Answer a request, after the next commit."""
        body = result_body(request.message_id, result)
        self.outbox.add(request.session, Outgoing(body, RESPONSE, is_content=True))

    def is_listening(self, user_id: int, but: Session | None = None) -> bool:
        """Whether any connected client of the account would get a push."""
        return any(
            session is not but and session.connection is not None and session.wants_updates
            for key in self.keys.of_user(user_id)
            for session in key.sessions.values()
        )

    def push(self, user_id: int, updates: Any, but: Session | None = None) -> None:
        """Send updates to every client of an account that is connected."""
        body: bytes | None = None
        for key in self.keys.of_user(user_id):
            for session in key.sessions.values():
                if session is but or session.connection is None or not session.wants_updates:
                    continue
                body = body or bytes(updates)
                self.outbox.add(session, Outgoing(body, NOTIFICATION, is_content=True))

    def forget(self, connection: ClientConnection) -> None:
        """A connection is gone."""
        self.connections.discard(connection)
        for session in connection.sessions:
            if session.connection is connection:
                session.connection = None

    def cut_silent_connections(self) -> None:
        """Close connections whose client has not pinged for minutes."""
        for connection in list(self.connections):
            if connection.last_heard < clock.now() - _SILENT_SECONDS:
                connection.cut()

    def _continue_handshake(self, connection: ClientConnection, payload: bytes) -> None:
        handshake = connection.handshake
        if handshake is None:
            handshake = connection.handshake = Handshake(self.server_key)
        try:
            answer = handshake.answer(payload[20:])
        except ProtocolViolationError:
            raise
        except Exception as error:  # Telethon's reader raises whatever garbage leads to
            raise ProtocolViolationError("an unreadable key exchange") from error
        if handshake.secret is not None:
            self.keys.add(handshake.secret)
            connection.handshake = None
        packet = struct.pack("<qqi", 0, self._ids.next(RESPONSE), len(answer)) + answer
        self.outbox.add_plain(lambda: connection.send(packet))

    def _open(self, connection: ClientConnection, key: AuthKey, packet: Packet, arrived_at: float) -> None:
        self.outbox.soon()  # also when a fault cuts this connection: what was accepted is written
        session = key.sessions.get(packet.session_id)
        if session is None:
            session = Session(packet.session_id, key, self._ids)
            key.keep_session(session)
        session.connection = connection
        connection.sessions.add(session)
        if packet.salt != key.salt:
            # Nothing of this packet counts: the client sends all of it again.
            self._notify(session, wrong_salt(packet, key.salt), is_content=False)
            return
        if not session.is_announced:
            session.is_announced = True
            created = types.NewSessionCreated(packet.message_id, secrets.randbits(62), key.salt)
            self._notify(session, bytes(created), is_content=True)
        for message_id, body in messages_in(packet.message_id, packet.body):
            if not session.is_repeated(message_id):
                self._take(Request(None, message_id, arrived_at, key, session, connection), body)
            if not connection.is_open:
                return

    def _take(self, request: Request, body: bytes) -> None:
        try:
            unwrapped = unwrap(read_request(body))
        except TelegramError as error:
            self.respond(request, types.RpcError(error.code, error.name))
            return
        request.body = unwrapped.request
        request.session.wants_updates &= unwrapped.wants_updates
        answer = service_answer(request.message_id, request.body, request.key.salt)
        if answer is None:
            self.handle(request)
        elif answer:
            self.outbox.add(request.session, Outgoing(answer, RESPONSE, is_content=False))

    def _notify(self, session: Session, body: bytes, is_content: bool) -> None:
        self.outbox.add(session, Outgoing(body, NOTIFICATION, is_content))
