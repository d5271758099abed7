"""API tokens, made for a user without its password."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from relaygram_common.identity.errors import IdentityError
from relaygram_common.identity.names import checked_name
from relaygram_common.identity.owner import owner_transaction, sql
from relaygram_common.security.tokens import ABILITIES, ANY_ABILITY, hash_secret, new_secret


@dataclass(frozen=True, slots=True)
class TokenRow:
    """A token without its secret, and whose it is."""

    id: int
    email: str
    name: str
    abilities: list[str]
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    created_at: datetime


async def create_token(
    dsn: str, email: str, name: str, abilities: Sequence[str], expires_at: datetime | None = None
) -> str:
    """A new API token `id|secret` of a user; the secret can not be read again later. Raises IdentityError."""
    name = checked_name(name, "token's name")
    unknown = set(abilities) - {*ABILITIES, ANY_ABILITY}
    if unknown:
        raise IdentityError(f"unknown abilities: {', '.join(sorted(unknown))}; there are {', '.join(ABILITIES)}, *")
    if not abilities:
        raise IdentityError("a token needs at least one ability")
    if expires_at is not None and expires_at <= datetime.now(UTC):
        raise IdentityError("a token must end in the future")
    secret = new_secret()
    async with owner_transaction(dsn) as connection:
        token_id = await connection.fetchval(
            sql["insert_token"], email, name, hash_secret(secret), list(abilities), expires_at
        )
    if token_id is None:
        raise IdentityError(f"there is no user {email}")
    return f"{token_id}|{secret}"


async def list_tokens(dsn: str, *, email: str | None = None, with_ended: bool = False) -> list[TokenRow]:
    """Those that are valid, or all, in the order they were made."""
    async with owner_transaction(dsn) as connection:
        if email is not None and await connection.fetchrow(sql["user_by_email"], email) is None:
            raise IdentityError(f"there is no user {email}")
        return [TokenRow(**row) for row in await connection.fetch(sql["list_tokens"], email, with_ended)]


async def revoke_token(dsn: str, token_id: int) -> None:
    """Revoke one of anybody's. Raises IdentityError when there is none that is still valid."""
    async with owner_transaction(dsn) as connection:
        if await connection.fetchval(sql["revoke_token"], token_id) is None:
            raise IdentityError(f"there is no token {token_id} that is not revoked already")
