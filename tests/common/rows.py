"""Rows that tests of the database need, made by the superuser."""

import itertools
import json
from typing import Any

LIMITS = {
    "messages_per_second": 1,
    "messages_per_hour": None,
    "messages_per_day": None,
    "warm_up": False,
    "resolves_per_minute": 20,
}
_names = itertools.count(1)


async def make_workspace(owner: Any) -> int:
    """A new one."""
    made: int = await owner.fetchval(
        "insert into control.workspaces (name) values ($1) returning id", f"workspace {next(_names)}"
    )
    return made


async def make_account(owner: Any, workspace: int, status: str = "active") -> int:
    """A Telegram account in any status."""
    made: int = await owner.fetchval(
        "insert into control.telegram_accounts (workspace_id, kind, status, limits) values ($1, 'user', $2, $3::jsonb)"
        " returning id",
        workspace,
        status,
        json.dumps(LIMITS),
    )
    return made


async def make_campaign(
    owner: Any, workspace: int, *, status: str = "draft", reason: str | None = None, account: int | None = None
) -> tuple[int, int]:
    """A broadcast to one person in any status; its id and that of its account."""
    account = account or await make_account(owner, workspace)
    made: int = await owner.fetchval(
        "insert into control.campaigns (workspace_id, name, mode, body, telegram_account_id, status, status_reason,"
        " completed_at, stopped_at, total_contacts) values ($1, 'c', 'broadcast', 'Hi', $2, $3, $4,"
        " case when $3 = 'completed' then now() end, case when $3 = 'stopped' then now() end, 1) returning id",
        workspace,
        account,
        status,
        reason if status == "paused" else None,
    )
    return made, account
