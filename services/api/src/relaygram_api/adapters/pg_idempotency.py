"""Idempotency keys: who is at work under a key, and the sealed answer."""

from dataclasses import dataclass
from uuid import UUID

from relaygram_api.adapters.pg_workspace import Connection, Database, sql

_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class KeyHolder:
    """Whose key it is: keys of two users never meet."""

    workspace_id: int
    user_id: int
    key: str

    @property
    def seal(self) -> str:
        """Binds a sealed answer to its row."""
        return f"answer:{self.user_id}:{self.key}"


@dataclass(frozen=True, slots=True)
class Held:
    """A key that another request holds: its answer when there is one; how long ago it took the key."""

    route_hash: bytes
    body_hash: bytes | None
    answer_sealed: bytes | None
    age_seconds: float


async def claim(
    database: Database, holder: KeyHolder, mine: UUID, *, route_hash: bytes, body_hash: bytes | None, seconds: float
) -> Held | None:
    """Take the key for so long; who holds it, when it is not free."""
    held = None
    for _ in range(_ATTEMPTS):
        row = await database.fetch_for_nobody(
            "claim_key", holder.workspace_id, holder.user_id, holder.key, route_hash, body_hash, mine, seconds
        )
        if row is not None:
            held = row
            break
    if held is None:
        # Given up and taken again each time we looked: somebody is at work on it.
        return Held(route_hash, None, None, 0.0)
    if held["is_mine"]:
        return None
    return Held(held["route_hash"], held["body_hash"], held["answer_sealed"], held["age_seconds"])


async def keep(
    connection: Connection, holder: KeyHolder, mine: UUID, answer_sealed: bytes, body_hash: bytes | None
) -> bool:
    """Write the answer; False when the key is no longer ours."""
    kept = await connection.fetchval(sql["keep_answer"], holder.user_id, holder.key, mine, answer_sealed, body_hash)
    return kept is not None


async def renew(database: Database, holder: KeyHolder, mine: UUID, seconds: float) -> None:
    """Hold the key for so much longer, if it is still ours."""
    async with database.workspace(holder.workspace_id) as connection:
        await connection.execute(sql["renew_key"], holder.user_id, holder.key, mine, seconds)


async def release(database: Database, holder: KeyHolder, mine: UUID) -> None:
    """Give the key up, unless its answer is there."""
    async with database.workspace(holder.workspace_id) as connection:
        await connection.execute(sql["release_key"], holder.user_id, holder.key, mine)
