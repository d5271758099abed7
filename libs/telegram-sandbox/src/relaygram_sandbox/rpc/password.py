"""The second factor: Telegram's variant of SRP 2048, the server's side."""

import os
import secrets
from functools import lru_cache
from hashlib import sha256
from typing import Any, NamedTuple

from telethon.password import compute_digest
from telethon.tl import functions, types

from relaygram_sandbox.errors import TelegramError
from relaygram_sandbox.protocol.crypto import DH_GENERATOR, DH_PRIME, as_256_bytes
from relaygram_sandbox.rpc.registry import Call, answers
from relaygram_sandbox.world.account import Account

_SALTS = (b"relaygram-sandbox-1", b"relaygram-sandbox-2")
_PRIME, _GENERATOR = as_256_bytes(DH_PRIME), as_256_bytes(DH_GENERATOR)
_ALGORITHM = types.PasswordKdfAlgoSHA256SHA256PBKDF2HMACSHA512iter100000SHA256ModPow(*_SALTS, DH_GENERATOR, _PRIME)


class Challenge(NamedTuple):
    """One attempt's numbers; good for one check."""

    id: int
    secret: int
    public: int
    verifier: int


def _hash(*parts: bytes) -> bytes:
    return sha256(b"".join(parts)).digest()


@lru_cache(maxsize=1024)
def _verifier(password: str) -> int:
    return int.from_bytes(compute_digest(_ALGORITHM, password), "big")


def _pending_account(call: Call) -> Account:
    key = call.request.key
    user_id = key.password_user_id if key.password_user_id is not None else key.user_id
    account = call.telegram.account(user_id) if user_id is not None else None
    if account is None:
        raise TelegramError("AUTH_KEY_UNREGISTERED")
    return account


@answers(functions.account.GetPasswordRequest, needs_login=False, allows_bots=False)
def get_password(call: Call, _: Any) -> Any:
    """The challenge for whoever has just given the right code, or is logged in."""
    account = _pending_account(call)
    challenge: dict[str, Any] = {}
    if account.password is not None:
        verifier = _verifier(account.password)
        multiplier = int.from_bytes(_hash(_PRIME, _GENERATOR), "big")
        secret = secrets.randbits(2048)
        public = (multiplier * verifier + pow(DH_GENERATOR, secret, DH_PRIME)) % DH_PRIME
        made = Challenge(secrets.randbits(62), secret, public, verifier)
        call.request.key.password_challenge = made
        challenge = {
            "has_password": True,
            "current_algo": _ALGORITHM,
            "srp_B": as_256_bytes(public),
            "srp_id": made.id,
        }
    return types.account.Password(
        new_algo=_ALGORITHM,
        new_secure_algo=types.SecurePasswordKdfAlgoPBKDF2HMACSHA512iter100000(_SALTS[0]),
        secure_random=os.urandom(32),
        **challenge,
    )


@answers(functions.auth.CheckPasswordRequest, needs_login=False)
def check_password(call: Call, request: Any) -> Any:
    """Log in when the client proves that it knows the password."""
    account = _pending_account(call)
    challenge = call.request.key.password_challenge
    call.request.key.password_challenge = None
    given = request.password
    if challenge is None or getattr(given, "srp_id", None) != challenge.id:
        raise TelegramError("SRP_ID_INVALID")
    if not _proves(challenge, given):
        raise TelegramError("PASSWORD_HASH_INVALID")
    call.telegram.keys.log_in(call.request.key, account.id)
    return types.auth.Authorization(call.telegram.views.user(account, account))


def _proves(challenge: Challenge, given: Any) -> bool:
    theirs = int.from_bytes(given.A, "big")
    if not 1 < theirs < DH_PRIME - 1:
        return False
    ours = as_256_bytes(challenge.public)
    scrambler = int.from_bytes(_hash(as_256_bytes(theirs), ours), "big")
    base = theirs * pow(challenge.verifier, scrambler, DH_PRIME) % DH_PRIME
    shared = _hash(as_256_bytes(pow(base, challenge.secret, DH_PRIME)))
    mixed = bytes(a ^ b for a, b in zip(_hash(_PRIME), _hash(_GENERATOR), strict=True))
    salts = (_hash(_SALTS[0]), _hash(_SALTS[1]))
    proof = _hash(mixed, *salts, as_256_bytes(theirs), ours, shared)
    return secrets.compare_digest(proof, given.M1)
