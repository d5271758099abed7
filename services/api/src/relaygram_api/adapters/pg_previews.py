"""Whom a preview is rendered for."""

from relaygram_api.adapters.pg_workspace import Connection, sql
from relaygram_api.core.preview import Reader


async def reader(connection: Connection, campaign_id: int, sender_id: int | None) -> Reader | None:
    """This contact of the campaign, or its first; None when there is none."""
    if sender_id is None:
        row = await connection.fetchrow(sql["first_preview_reader"], campaign_id)
    else:
        row = await connection.fetchrow(sql["preview_reader"], campaign_id, sender_id)
    return Reader(**row) if row else None
