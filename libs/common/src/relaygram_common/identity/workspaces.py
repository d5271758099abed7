"""Workspaces: each sees nothing of the others."""

from dataclasses import dataclass
from datetime import datetime

from relaygram_common.identity.errors import IdentityError
from relaygram_common.identity.names import checked_name
from relaygram_common.identity.owner import owner_transaction, sql


@dataclass(frozen=True, slots=True)
class WorkspaceRow:
    """A workspace, and how many users of it are not disabled."""

    id: int
    name: str
    created_at: datetime
    users: int


async def create_workspace(dsn: str, name: str) -> int:
    """A new workspace's id. Raises IdentityError when there is one of this name."""
    name = checked_name(name, "workspace's name")
    async with owner_transaction(dsn) as connection:
        workspace_id: int | None = await connection.fetchval(sql["insert_workspace"], name)
    if workspace_id is None:
        raise IdentityError(f"there is a workspace {name!r} already")
    return workspace_id


async def list_workspaces(dsn: str) -> list[WorkspaceRow]:
    """All of them, in the order they were made."""
    async with owner_transaction(dsn) as connection:
        return [WorkspaceRow(**row) for row in await connection.fetch(sql["list_workspaces"])]
