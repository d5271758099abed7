"""What the gateway does to the ledger, called as its role."""

from typing import Any
from uuid import UUID

import asyncpg

from relaygram_common.contracts.ids import job_id
from tests.api.support import Api


async def take_term(api: Api, account: int) -> int:
    """A new term of an account."""
    term: int = await api.sql(
        "select telegram.take_term($1, $2, 'g')", api.workspace_id, account, role="relaygram_gateway"
    )
    return term


async def admit(api: Api, account: int, term: int, campaign: int, contact: int, body: str = "Hello") -> dict[str, Any]:
    """The broadcast's job to this contact, admitted with this text; what admission says."""
    job = job_id("broadcast", campaign, contact)
    connection = await asyncpg.connect(api.database.gateway, server_settings={"relaygram.workspace_id": "*"})
    try:
        async with connection.transaction():
            row = await connection.fetchrow(
                "select * from telegram.admit($1, $2, 9, $3, $4, $5, $6)",
                account, term, [job], [campaign], [contact], [0],
            )  # fmt: skip
            await connection.execute("select telegram.keep_bodies($1, $2, $3)", [job], [body], [4711])
        return dict(row or {})
    finally:
        await connection.close()


async def record(api: Api, account: int, term: int, job: UUID, state: str = "accepted") -> None:
    """Telegram's answer."""
    await api.sql(
        "select count(*) from telegram.record($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        account, term, [job], [state], [4711], [99], [None], [None], [False], role="relaygram_gateway",
    )  # fmt: skip


async def ledger(api: Api, campaign: int) -> list[tuple[str, str | None, int | None]]:
    """State, text and chat of a campaign's sends."""
    connection = await asyncpg.connect(api.database.dsn)
    try:
        rows = await connection.fetch(
            "select state, body, telegram_user_id from telegram.sends where campaign_id = $1 order by first_at",
            campaign,
        )
    finally:
        await connection.close()
    return [tuple(row) for row in rows]
