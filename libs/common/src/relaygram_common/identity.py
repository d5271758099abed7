"""Making workspaces, users and tokens as the owner of the database does it: at installation, from the command line."""

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field

import asyncpg

from relaygram_common.database.statements import Statements
from relaygram_common.security.passwords import hash_password
from relaygram_common.security.tokens import ABILITIES, ANY_ABILITY, hash_secret, new_secret

_sql = Statements("relaygram_common")
_EMAIL = re.compile(r"[^@\s\x00]+@[^@\s\x00]+")


class IdentityError(Exception):
    """What was asked for can not be made; the text says why."""


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """The first workspace and user; `password` only when the user was made just now."""

    workspace_id: int
    email: str
    password: str | None = field(repr=False)


async def bootstrap(dsn: str, *, workspace: str, email: str) -> Bootstrap:
    """Make the workspace and a user with a random password, if they are not there yet. `dsn` is the owner's."""
    if not _EMAIL.fullmatch(email):
        raise IdentityError(f"{email!r} is not an e-mail address")
    connection = await asyncpg.connect(dsn, timeout=5, command_timeout=10)
    try:
        async with connection.transaction():
            await connection.execute(_sql["insert_workspace"], workspace)
            workspace_id: int = await connection.fetchval(_sql["workspace_by_name"], workspace)
            password = secrets.token_urlsafe(15)
            made = await connection.fetchval(
                _sql["insert_user"],
                workspace_id,
                email,
                email.partition("@")[0],
                await hash_password(password),
            )
    finally:
        await connection.close()
    return Bootstrap(workspace_id, email, password if made is not None else None)


async def create_token(dsn: str, email: str, name: str, abilities: Sequence[str]) -> str:
    """A new API token `id|secret` of a user; the secret can not be read again later. Raises IdentityError."""
    unknown = set(abilities) - {*ABILITIES, ANY_ABILITY}
    if unknown:
        raise IdentityError(f"unknown abilities: {', '.join(sorted(unknown))}")
    secret = new_secret()
    connection = await asyncpg.connect(dsn, timeout=5, command_timeout=10)
    try:
        token_id = await connection.fetchval(_sql["insert_token"], email, name, hash_secret(secret), list(abilities))
    finally:
        await connection.close()
    if token_id is None:
        raise IdentityError(f"there is no user {email}")
    return f"{token_id}|{secret}"
