"""Users: people who log in. An e-mail belongs to one user of one workspace."""

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from relaygram_common.identity.errors import IdentityError
from relaygram_common.identity.names import checked_email, checked_name
from relaygram_common.identity.owner import owner_transaction, sql
from relaygram_common.security.passwords import hash_password

if TYPE_CHECKING:
    from relaygram_common.identity.owner import Connection

SHORTEST_PASSWORD = 12
_LONGEST_PASSWORD = 1024


@dataclass(frozen=True, slots=True)
class UserRow:
    """A user; one that is disabled can not log in, and its tokens are refused."""

    id: int
    workspace: str
    email: str
    name: str
    disabled_at: datetime | None
    created_at: datetime


def generate_password() -> str:
    """A password that nobody can guess: 120 bits, 20 characters."""
    return secrets.token_urlsafe(15)


async def create_user(dsn: str, *, email: str, password: str, workspace: str, name: str | None = None) -> int:
    """A new user's id. Raises IdentityError for an unknown workspace or an e-mail that somebody has."""
    email = checked_email(email)
    name = checked_name(name if name is not None else email.partition("@")[0], "user's name")
    password_hash = await hash_password(_checked_password(password))
    async with owner_transaction(dsn) as connection:
        workspace_id = await connection.fetchval(sql["workspace_by_name"], workspace)
        if workspace_id is None:
            raise IdentityError(f"there is no workspace {workspace!r}")
        user_id: int | None = await connection.fetchval(sql["insert_user"], workspace_id, email, name, password_hash)
        if user_id is None:
            raise IdentityError(f"there is a user {email} already")
    return user_id


async def list_users(dsn: str, *, workspace: str | None = None) -> list[UserRow]:
    """All of them, or one workspace's, in the order they were made."""
    async with owner_transaction(dsn) as connection:
        if workspace is not None and await connection.fetchval(sql["workspace_by_name"], workspace) is None:
            raise IdentityError(f"there is no workspace {workspace!r}")
        return [UserRow(**row) for row in await connection.fetch(sql["list_users"], workspace)]


async def disable_user(dsn: str, email: str) -> UserRow:
    """The user can not log in any more, and the API refuses its tokens; nothing is deleted."""
    async with owner_transaction(dsn) as connection:
        user = await _found(connection, email)
        await connection.execute(sql["disable_user"], user.id)
        return await _found(connection, email)


async def enable_user(dsn: str, email: str) -> UserRow:
    """The opposite; tokens that are neither revoked nor expired are valid again."""
    async with owner_transaction(dsn) as connection:
        user = await _found(connection, email)
        await connection.execute(sql["enable_user"], user.id)
        return await _found(connection, email)


async def set_password(dsn: str, email: str, password: str, *, revoke_tokens: bool = False) -> int:
    """Another password; the number of tokens revoked. Tokens stay valid unless it is asked otherwise."""
    password_hash = await hash_password(_checked_password(password))
    async with owner_transaction(dsn) as connection:
        user = await _found(connection, email)
        await connection.execute(sql["set_password"], user.id, password_hash)
        return len(await connection.fetch(sql["revoke_tokens_of_user"], user.id)) if revoke_tokens else 0


async def _found(connection: "Connection", email: str) -> UserRow:
    row = await connection.fetchrow(sql["user_by_email"], email)
    if row is None:
        raise IdentityError(f"there is no user {email}")
    return UserRow(**row)


def _checked_password(password: str) -> str:
    if not SHORTEST_PASSWORD <= len(password) <= _LONGEST_PASSWORD:
        raise IdentityError(f"a password has {SHORTEST_PASSWORD} to {_LONGEST_PASSWORD} characters")
    return password
