"""Campaigns: the rows with their counters, and the transitions."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from relaygram_api.adapters.pg_workspace import Connection, sql
from relaygram_api.core.cursors import listing

# The columns that callers may set, in the order of the statements; `asks_for` follows from the texts.
WRITABLE = (
    "name", "mode", "trigger_keyword", "body", "telegram_account_id", "scheduled_at", "time_zone", "quiet_hours",
    "reference", "entity_id", "application_id", "attachments", "asks_for",
)  # fmt: skip


Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Filter:
    """What a list of campaigns is narrowed to."""

    status: str | None = None
    mode: str | None = None
    q: str | None = None

    @property
    def pattern(self) -> str | None:
        """`q` as a pattern for ILIKE."""
        return None if self.q is None else like(self.q)

    @property
    def listing(self) -> str:
        """What cursors of this list belong to."""
        return listing("campaigns", **asdict(self))


def like(text: str) -> str:
    """A pattern that finds this text anywhere, taking no character of it for a wildcard."""
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"


async def page(
    connection: Connection, wanted: Filter, *, before: int | None, limit: int, offset: int
) -> tuple[list[Row], int]:
    """These campaigns, newest first, and how many there are on all pages; `before` an id, to go on after it."""
    narrowed = (wanted.status, wanted.mode, wanted.pattern)
    rows = await connection.fetch(sql["list_campaigns"], *narrowed, before, limit, offset)
    total: int = rows[0]["total"] if rows else await connection.fetchval(sql["count_campaigns"], *narrowed)
    return rows, total


async def get(connection: Connection, campaign_id: int) -> dict[str, Any] | None:
    """One campaign with its counters."""
    row = await connection.fetchrow(sql["get_campaign"], campaign_id)
    return dict(row) if row else None


async def lock(connection: Connection, campaign_id: int) -> dict[str, Any] | None:
    """What a change is checked against, held until the transaction ends."""
    row = await connection.fetchrow(sql["lock_campaign"], campaign_id)
    return dict(row) if row else None


async def account_exists(connection: Connection, account_id: int) -> bool:
    """Whether a campaign may be given this account."""
    return await connection.fetchval(sql["account_exists"], account_id) is not None


async def create(connection: Connection, workspace_id: int, campaign: dict[str, Any]) -> int:
    """A new draft; its id."""
    values = [campaign[column] for column in WRITABLE]
    campaign_id: int = await connection.fetchval(sql["insert_campaign"], workspace_id, *values)
    return campaign_id


async def update(connection: Connection, campaign_id: int, campaign: dict[str, Any]) -> None:
    """New values, a new version, and the doorbell."""
    await connection.execute(sql["update_campaign"], campaign_id, *(campaign[column] for column in WRITABLE))


async def delete(connection: Connection, workspace_id: int, campaign_id: int, actor: str) -> None:
    """Out of every list."""
    await connection.execute(sql["delete_campaign"], workspace_id, campaign_id, actor)


async def transition(connection: Connection, workspace_id: int, campaign_id: int, action: str, actor: str) -> str:
    """Move it, by the one function that moves campaigns; the outcome."""
    outcome: str = await connection.fetchval(sql["transition"], workspace_id, campaign_id, action, actor)
    return outcome
