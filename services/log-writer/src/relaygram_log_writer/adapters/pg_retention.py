"""What of the log is old, in PostgreSQL: found without a lock, taken in short transactions under the log's lock."""

from dataclasses import dataclass
from datetime import timedelta

import asyncpg

from relaygram_common.database.statements import Statements

_sql = Statements("relaygram_log_writer")
BEFORE_ALL = -(2**63)
_CAMPAIGNS_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Trimmed:
    """One batch that left."""

    rows: int
    held_ms: float  # the log's lock


class PgRetention:
    """Trims logs in the name of one log-writer."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", *, owner: str) -> None:
        self._pool = pool
        self._owner = owner

    async def is_ours(self) -> bool:
        """Whether no other log-writer is at it; then none begins within half a minute."""
        return bool(await self._pool.fetchval(_sql["claim_retention"], self._owner))

    async def old_logs(self, keep: timedelta, *, after: int) -> list[int]:
        """The next campaigns whose log begins with a row that may leave."""
        rows = await self._pool.fetch(_sql["old_logs"], keep, after, _CAMPAIGNS_AT_ONCE)
        return [row["campaign_id"] for row in rows]

    async def trim(self, campaign_id: int, keep: timedelta, *, most: int) -> Trimmed | None:
        """Committed when it returns. None: it is another one's turn."""
        row = await self._pool.fetchrow(_sql["trim_log"], self._owner, campaign_id, keep, most)
        return None if row is None else Trimmed(row["rows_left"], row["held_ms"])
