"""Drafts with a time to start, in PostgreSQL."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import asyncpg

from relaygram_common.database.statements import Statements

_sql = Statements("relaygram_dispatcher")


@dataclass(frozen=True, slots=True)
class Start:
    """A draft whose time has come, or has passed."""

    workspace_id: int
    id: int
    scheduled_at: datetime
    late: bool
    why: Literal["missed", "no_contacts", "import_running", "unknown_tokens"]


class PgSchedule:
    """The state table decides, so several may look at once."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        self._pool = pool

    async def due(self, *, most: int, grace_seconds: float) -> list[Start]:
        """Oldest first."""
        return [Start(**row) for row in await self._pool.fetch(_sql["due_starts"], most, grace_seconds)]

    async def start(self, draft: Start) -> bool:
        """False: somebody was faster, or it can not start now."""
        moved = await self._pool.fetchrow(_sql["transition"], draft.workspace_id, draft.id, "start", "schedule")
        return moved is not None and moved["outcome"] == "changed"

    async def misfire(self, draft: Start, reason: str) -> bool:
        """It stays a draft and says why; False: that was said already."""
        return bool(
            await self._pool.fetchval(_sql["misfire"], draft.workspace_id, draft.id, draft.scheduled_at, reason)
        )

    async def seconds_to_next(self) -> float | None:
        """How long until the next draft is to start."""
        seconds: float | None = await self._pool.fetchval(_sql["next_start"])
        return seconds
