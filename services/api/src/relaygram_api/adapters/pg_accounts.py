"""Telegram accounts: the rows, the sealed secrets of their log-ins, and the doorbell that a gateway hears."""

from typing import Any

from relaygram_api.adapters.pg_workspace import Connection, sql


async def create(
    connection: Connection, workspace_id: int, *, name: str | None, kind: str, limits: dict[str, Any]
) -> int:
    """A new account; its id."""
    account_id: int = await connection.fetchval(sql["insert_account"], workspace_id, name, kind, limits)
    return account_id


async def count(connection: Connection) -> int:
    """How many accounts there are."""
    number: int = await connection.fetchval(sql["count_accounts"])
    return number


async def page(connection: Connection, *, after: int, limit: int, offset: int) -> list[dict[str, Any]]:
    """These accounts, in the order they were made, beginning after this id."""
    return [dict(row) for row in await connection.fetch(sql["list_accounts"], after, limit, offset)]


async def get(connection: Connection, account_id: int) -> dict[str, Any] | None:
    """One account, as it is shown."""
    row = await connection.fetchrow(sql["get_account"], account_id)
    return dict(row) if row else None


async def lock(connection: Connection, account_id: int) -> dict[str, Any] | None:
    """One account's status and limits, which nobody changes until the transaction ends."""
    row = await connection.fetchrow(sql["lock_account"], account_id)
    return dict(row) if row else None


async def update(connection: Connection, account_id: int, *, name: str | None, limits: dict[str, Any]) -> None:
    """New name and limits."""
    await connection.execute(sql["update_account"], account_id, name, limits)


async def put_secret(connection: Connection, workspace_id: int, account_id: int, kind: str, sealed: bytes) -> None:
    """What the next step of the log-in needs; the gateway deletes it after use."""
    await connection.execute(sql["put_login_secret"], account_id, kind, workspace_id, sealed)


async def put_connection(
    connection: Connection,
    workspace_id: int,
    account_id: int,
    *,
    api_id: int | None,
    api_hash_sealed: bytes | None,
    proxy_sealed: bytes | None,
) -> None:
    """How a new account connects, if other than the installation does."""
    await connection.execute(
        sql["put_account_connection"], account_id, workspace_id, api_id, api_hash_sealed, proxy_sealed
    )


async def set_proxy(connection: Connection, workspace_id: int, account_id: int, sealed: bytes | None) -> None:
    """Another proxy, or (None) the installation's."""
    await connection.execute(sql["set_account_proxy"], account_id, workspace_id, sealed)


async def ring(connection: Connection, workspace_id: int, account_id: int, verb: str) -> None:
    """Tell the gateways that something waits for them."""
    subject = f"account.command.{verb}.{workspace_id}.{account_id}"
    body = {"workspace_id": workspace_id, "account_id": account_id}
    await connection.execute(sql["ring"], workspace_id, subject, body)


async def begin_login_again(connection: Connection, workspace_id: int, account_id: int) -> bool:
    """The log-in begins once more: the row says so, a bell only says when. False when its status forbids it."""
    outcome: str = await connection.fetchval(sql["begin_login_again"], workspace_id, account_id)
    return outcome == "changed"


async def forget_secrets(connection: Connection, account_id: int) -> None:
    """What was entered for an earlier log-in."""
    await connection.execute(sql["delete_login_secrets"], account_id)


async def log_out(connection: Connection, workspace_id: int, account_id: int) -> bool:
    """Log out for good and leave the lists; its campaigns pause. False when there is no such account."""
    outcome = await connection.fetchval(sql["log_out_account"], workspace_id, account_id)
    if outcome == "not_found":
        return False
    await connection.execute(sql["delete_account"], account_id)
    await forget_secrets(connection, account_id)
    await ring(connection, workspace_id, account_id, "logout")
    return True
