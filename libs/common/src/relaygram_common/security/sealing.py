"""Sealing at rest: AES-256-GCM under named keys, so that keys can be rotated without a stop."""

import base64
import binascii
import hashlib
import os
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE_BYTES = 12


class SealError(Exception):
    """A sealed value can not be opened: wrong key, wrong owner, or damaged."""


@dataclass(frozen=True, slots=True)
class _Key:
    name: str
    cipher: AESGCM
    raw: bytes


class Sealer:
    """Seals with the first key and opens with any. `owner` binds a value to its row, so it can not be moved."""

    def __init__(self, secret_keys: str) -> None:
        """`secret_keys`: `id:base64` of 32 bytes each, newest first, comma-separated. Raises ValueError."""
        self._keys = [_parse_key(part) for part in secret_keys.split(",") if part.strip()]
        if not self._keys:
            raise ValueError("RELAYGRAM_SECRET_KEYS is empty: give at least one key as id:base64 of 32 bytes")
        # Fingerprints must stay comparable over rotations: they follow the oldest key.
        self._fingerprint_key = hashlib.blake2b(self._keys[-1].raw, person=b"fingerprint").digest()

    def seal(self, text: str, *, owner: str) -> bytes:
        """Name of the key, nonce, ciphertext."""
        key, nonce = self._keys[0], os.urandom(_NONCE_BYTES)
        name = key.name.encode()
        return bytes([len(name)]) + name + nonce + key.cipher.encrypt(nonce, text.encode(), owner.encode())

    def open(self, sealed: bytes, *, owner: str) -> str:
        """The text again. Raises SealError."""
        if not sealed:
            raise SealError("the sealed value is empty")
        name = sealed[1 : 1 + sealed[0]].decode("ascii", "replace")
        rest = sealed[1 + sealed[0] :]
        for key in self._keys:
            if key.name == name:
                try:
                    return key.cipher.decrypt(rest[:_NONCE_BYTES], rest[_NONCE_BYTES:], owner.encode()).decode()
                except (InvalidTag, ValueError) as error:
                    raise SealError(f"the value does not open with key {name}") from error
        raise SealError(f"key {name} is not among RELAYGRAM_SECRET_KEYS")

    def fingerprint(self, text: str) -> bytes:
        """A keyed hash (16 bytes): finds equal values, such as phones, without opening any. Imports make millions."""
        return hashlib.blake2b(text.encode(), key=self._fingerprint_key, digest_size=16).digest()


def _parse_key(part: str) -> _Key:
    name, separator, encoded = part.strip().partition(":")
    try:
        raw = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if not separator or not name.isascii() or not 0 < len(name) < 64 or len(raw) != 32:
        raise ValueError("RELAYGRAM_SECRET_KEYS: each key is id:base64, of exactly 32 bytes")
    return _Key(name, AESGCM(raw), raw)


def new_key(name: str) -> str:
    """A fresh key in the form that RELAYGRAM_SECRET_KEYS takes."""
    return f"{name}:{base64.b64encode(os.urandom(32)).decode()}"
