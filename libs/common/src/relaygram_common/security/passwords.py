"""Passwords: argon2id, in a thread, since one check costs some 50 ms of CPU on purpose."""

import asyncio

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

_hasher = PasswordHasher()
# Checked when the e-mail is unknown, so that an answer takes as long as for a known one: the hash of a password that
# was thrown away. Not made at each start, which took 0.2 s of CPU; a test sees to it that it costs what others do.
NOBODY = "$argon2id$v=19$m=65536,t=3,p=4$sURFdCzf9w1CX7fvaAhYnA$0UGoTCmPO/7h9vfKMvRlfCcUGWmyNiM2o5JqVFCXToU"


async def hash_password(password: str) -> str:
    """The text to store."""
    return await asyncio.to_thread(_hasher.hash, password)


async def password_matches(stored: str | None, password: str) -> bool:
    """Whether `password` is the one behind `stored`; None (an unknown person) takes as long and is False."""
    try:
        await asyncio.to_thread(_hasher.verify, stored or NOBODY, password)
    except (VerificationError, InvalidHashError):
        return False
    return stored is not None
