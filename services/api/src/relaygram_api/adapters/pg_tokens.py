"""Tokens: whose is this, and making, listing and revoking them."""

from datetime import datetime
from typing import Any

from relaygram_api.adapters.pg_workspace import Connection, Database, sql
from relaygram_api.parts import Caller
from relaygram_common.security.tokens import hash_secret, new_secret


async def facts(database: Database, token_id: int) -> dict[str, Any] | None:
    """What decides whether a token is good, and what it may do; None when there is no such token."""
    row = await database.fetch_for_nobody("token_by_id", token_id)
    return dict(row) if row else None


async def note_use(database: Database, workspace_id: int, token_id: int) -> None:
    """It is in use: now, to the minute."""
    async with database.workspace(workspace_id) as connection:
        await connection.execute(sql["note_token_use"], token_id)


async def create(
    connection: Connection,
    workspace_id: int,
    user_id: int,
    *,
    name: str,
    abilities: list[str],
    expires_at: datetime | None = None,
) -> tuple[dict[str, Any], str]:
    """A new token's row, and the token itself, which can not be read again."""
    secret = new_secret()
    row = await connection.fetchrow(
        sql["insert_token"], workspace_id, user_id, name, hash_secret(secret), abilities, expires_at
    )
    return dict(row), f"{row['id']}|{secret}"


async def count(connection: Connection, user_id: int) -> int:
    """How many tokens of this user are neither revoked nor expired."""
    number: int = await connection.fetchval(sql["count_tokens"], user_id)
    return number


async def page(connection: Connection, user_id: int, *, limit: int, offset: int) -> list[dict[str, Any]]:
    """These tokens, newest first."""
    return [dict(row) for row in await connection.fetch(sql["list_tokens"], user_id, limit, offset)]


async def revoke(connection: Connection, user_id: int, token_id: int) -> bool:
    """Revoke a token of this user; False when there is none (any more)."""
    return await connection.fetchval(sql["revoke_token"], token_id, user_id) is not None


async def exists(connection: Connection, user_id: int, token_id: int) -> bool:
    """Whether this user has such a token that is not revoked."""
    return await connection.fetchval(sql["token_exists"], token_id, user_id) is not None


async def user_by_email(database: Database, email: str) -> dict[str, Any] | None:
    """The user with this e-mail, of whichever workspace."""
    row = await database.fetch_for_nobody("user_by_email", email)
    return dict(row) if row else None


async def me(connection: Connection, caller: Caller) -> dict[str, Any]:
    """The caller's user, workspace and token."""
    return dict(await connection.fetchrow(sql["me"], caller.user_id, caller.token_id))
