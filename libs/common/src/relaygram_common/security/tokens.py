"""API tokens `id|secret`: the secret has 256 bits and only its SHA-256 is stored."""

import hashlib
import hmac
import re
import secrets
from typing import Final

ABILITIES: Final = (
    "campaigns:read", "campaigns:write", "campaigns:control", "senders:read", "logs:read",
    "accounts:read", "accounts:write", "webhooks:read", "webhooks:write", "events:write", "admin",
)  # fmt: skip
ANY_ABILITY: Final = "*"

_TOKEN = re.compile(r"([1-9][0-9]{0,17})\|([A-Za-z0-9_-]{43})")


def new_secret() -> str:
    """A fresh secret: 43 characters, URL-safe."""
    return secrets.token_urlsafe(32)


def hash_secret(secret: str) -> bytes:
    """What is stored. A plain hash suffices: the secret is random, not chosen by a person."""
    return hashlib.sha256(secret.encode()).digest()


def parse_token(token: str) -> tuple[int, str] | None:
    """(id, secret) of a well-formed token, else None."""
    match = _TOKEN.fullmatch(token)
    return (int(match[1]), match[2]) if match else None


def secret_matches(stored_hash: bytes, secret: str) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(stored_hash, hash_secret(secret))


def allows(abilities: list[str], needed: str) -> bool:
    """Whether a token with these abilities may do what needs `needed`."""
    return ANY_ABILITY in abilities or needed in abilities
