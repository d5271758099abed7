"""The audit log: written by triggers, read here."""

from dataclasses import asdict, astuple, dataclass
from datetime import datetime
from typing import Any

from relaygram_api.adapters.pg_workspace import Connection, sql
from relaygram_api.core.cursors import listing


@dataclass(frozen=True, slots=True)
class Filter:
    """What the log is narrowed to."""

    actor: str | None = None
    action: str | None = None
    kind: str | None = None
    thing_id: int | None = None
    since: datetime | None = None
    until: datetime | None = None

    @property
    def listing(self) -> str:
        """What cursors of this list belong to."""
        return listing("audit", **asdict(self))


async def count(connection: Connection, wanted: Filter) -> int:
    """How many changes there are."""
    number: int = await connection.fetchval(sql["count_audit"], *astuple(wanted))
    return number


async def page(
    connection: Connection, wanted: Filter, *, before: int | None, limit: int, offset: int
) -> list[dict[str, Any]]:
    """These changes, newest first."""
    return [dict(row) for row in await connection.fetch(sql["list_audit"], *astuple(wanted), before, limit, offset)]
