"""Tokens: whose is this, and making, listing and revoking them."""

from datetime import UTC, datetime, timedelta
from typing import Any

from relaygram_api.adapters.pg_workspace import Connection, Database, sql
from relaygram_api.parts import Caller
from relaygram_common.security.tokens import hash_secret, new_secret, parse_token, secret_matches

# Once a minute is enough to see which tokens are in use.
_NOTED_EACH = timedelta(minutes=1)


async def authenticate(database: Database, token: str) -> Caller | None:
    """Who bears this token; None when it is unknown, expired or revoked, or its user is disabled."""
    parsed = parse_token(token)
    if parsed is None:
        return None
    row = await database.fetch_for_nobody("token_by_id", parsed[0])
    if row is None or not secret_matches(row["secret_hash"], parsed[1]):
        return None
    now = datetime.now(UTC)
    expired = row["expires_at"] is not None and row["expires_at"] <= now
    if expired or row["revoked_at"] is not None or row["disabled_at"] is not None:
        return None
    caller = Caller(row["id"], row["workspace_id"], row["user_id"], row["abilities"])
    if row["last_used_at"] is None or now - row["last_used_at"] > _NOTED_EACH:
        async with database.workspace(caller.workspace_id) as connection:
            await connection.execute(sql["note_token_use"], caller.token_id)
    return caller


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
