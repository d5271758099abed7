"""A Telegram account as it is shown, and handing the secrets of its log-in over to a gateway."""

from collections.abc import Callable
from typing import Any, TypeVar

from relaygram_api.adapters import pg_accounts
from relaygram_api.adapters.pg_workspace import Connection
from relaygram_api.answers import seconds
from relaygram_api.core.account_login import CredentialError
from relaygram_api.errors import invalid, not_found
from relaygram_api.parts import Caller, Parts

Value = TypeVar("Value")


def checked(credential: Callable[[], Value]) -> Value:
    """What a rule makes of what was entered; 422 when it can not be."""
    try:
        return credential()
    except CredentialError as error:
        raise invalid({error.field: [error.problem]}) from None


async def shown_account(connection: Connection, account_id: int) -> dict[str, Any]:
    """One account, or 404."""
    row = await pg_accounts.get(connection, account_id)
    if row is None:
        raise not_found("Telegram account")
    return with_handle(row)


def with_handle(row: dict[str, Any]) -> dict[str, Any]:
    """A row as people write handles and times."""
    handle = f"@{row['handle']}" if row["handle"] else None
    return {**row, "handle": handle, "backing_off_until": seconds(row["backing_off_until"])}


async def hand_over(
    connection: Connection, parts: Parts, caller: Caller, account_id: int, kind: str, secret: str, *, verb: str
) -> None:
    """Sealed, for the gateway's next step; and the bell."""
    sealed = parts.sealer.seal(secret, owner=f"login:{account_id}:{kind}")
    await pg_accounts.put_secret(connection, caller.workspace_id, account_id, kind, sealed)
    await pg_accounts.ring(connection, caller.workspace_id, account_id, verb)
