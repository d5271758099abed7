"""The key exchange: three questions and answers that end in a new auth key. Sans I/O."""

import os
import secrets
from hashlib import sha1
from typing import Any

import cryptg
from telethon.crypto import AuthKey
from telethon.extensions import BinaryReader
from telethon.helpers import generate_key_data_from_nonce
from telethon.tl import functions, types

from relaygram_sandbox import clock
from relaygram_sandbox.protocol.crypto import DH_GENERATOR, DH_PRIME, ServerKey, as_256_bytes
from relaygram_sandbox.protocol.framing import ProtocolViolationError

# Factoring is the client's proof of work; small primes save every client 24 ms of CPU.
_P, _Q = 1009, 1013
_PQ = (_P * _Q).to_bytes(3, "big")


class Handshake:
    """One client's exchange. `secret` is the new key once the last answer has been made."""

    def __init__(self, server_key: ServerKey) -> None:
        self._server_key = server_key
        self._nonce = 0
        self._server_nonce = 0
        self._new_nonce: int | None = None
        self._exponent = 0
        self.secret: bytes | None = None

    def answer(self, body: bytes) -> bytes:
        """The answer to one unencrypted request."""
        request = BinaryReader(body).tgread_object()
        if isinstance(request, (functions.ReqPqMultiRequest, functions.ReqPqRequest)):
            return bytes(self._offer_key(request))
        if getattr(request, "nonce", None) != self._nonce or request.server_nonce != self._server_nonce:
            raise ProtocolViolationError("a key exchange with foreign nonces")
        if isinstance(request, functions.ReqDHParamsRequest):
            return bytes(self._offer_group(request))
        if isinstance(request, functions.SetClientDHParamsRequest) and self._new_nonce is not None:
            return bytes(self._finish(request, self._new_nonce))
        raise ProtocolViolationError("an unencrypted request that is no key exchange")

    def _offer_key(self, request: Any) -> Any:
        self._nonce = request.nonce
        self._server_nonce = int.from_bytes(os.urandom(16), "little", signed=True)
        self._new_nonce = None
        return types.ResPQ(self._nonce, self._server_nonce, _PQ, [self._server_key.fingerprint])

    def _offer_group(self, request: Any) -> Any:
        plain = self._server_key.decrypt(request.encrypted_data)[1:]
        inner = BinaryReader(plain[20:]).tgread_object()
        if sha1(bytes(inner), usedforsecurity=False).digest() != plain[:20] or inner.nonce != self._nonce:
            raise ProtocolViolationError("a key exchange that was not made for this server's key")
        self._new_nonce = inner.new_nonce
        # 256 bits of exponent are as strong as the group and an eighth of the work of 2048.
        self._exponent = secrets.randbits(256) | 1 << 255
        offer = bytes(
            types.ServerDHInnerData(
                self._nonce,
                self._server_nonce,
                DH_GENERATOR,
                as_256_bytes(DH_PRIME),
                as_256_bytes(pow(DH_GENERATOR, self._exponent, DH_PRIME)),
                int(clock.now()),
            )
        )
        offer = sha1(offer, usedforsecurity=False).digest() + offer
        offer += os.urandom(-len(offer) % 16)
        cipher = cryptg.encrypt_ige(offer, *self._temporary_key(inner.new_nonce))
        return types.ServerDHParamsOk(self._nonce, self._server_nonce, cipher)

    def _finish(self, request: Any, new_nonce: int) -> Any:
        if len(request.encrypted_data) % 16:
            raise ProtocolViolationError("a key exchange of odd length")
        plain = cryptg.decrypt_ige(request.encrypted_data, *self._temporary_key(new_nonce))
        inner = BinaryReader(plain[20:]).tgread_object()
        theirs = int.from_bytes(inner.g_b, "big")
        if not 1 < theirs < DH_PRIME - 1:
            raise ProtocolViolationError("a public number outside of the group")
        self.secret = as_256_bytes(pow(theirs, self._exponent, DH_PRIME))
        proof = AuthKey(self.secret).calc_new_nonce_hash(new_nonce, 1)
        return types.DhGenOk(self._nonce, self._server_nonce, proof)

    def _temporary_key(self, new_nonce: int) -> tuple[bytes, bytes]:
        key, vector = generate_key_data_from_nonce(self._server_nonce, new_nonce)
        return bytes(key), bytes(vector)
