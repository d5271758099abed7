"""The first workspace and user of an installation, made only where they are missing."""

from dataclasses import dataclass, field

from relaygram_common.identity.names import checked_email, checked_name
from relaygram_common.identity.owner import owner_transaction, sql
from relaygram_common.identity.users import generate_password
from relaygram_common.security.passwords import hash_password


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """The first workspace and user; `password` only when the user was made just now."""

    workspace_id: int
    email: str
    password: str | None = field(repr=False)


async def bootstrap(dsn: str, *, workspace: str, email: str) -> Bootstrap:
    """Make the workspace and a user with a random password, if they are not there yet. `dsn` is the owner's."""
    email = checked_email(email)
    workspace = checked_name(workspace, "workspace's name")
    password = generate_password()
    password_hash = await hash_password(password)
    async with owner_transaction(dsn) as connection:
        await connection.execute(sql["insert_workspace"], workspace)
        workspace_id: int = await connection.fetchval(sql["workspace_by_name"], workspace)
        made = await connection.fetchval(
            sql["insert_user"], workspace_id, email, email.partition("@")[0], password_hash
        )
    return Bootstrap(workspace_id, email, password if made is not None else None)
