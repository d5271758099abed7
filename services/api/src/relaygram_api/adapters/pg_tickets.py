"""Tickets for streams: each opens one stream of one campaign, once and soon."""

from datetime import datetime

from relaygram_api.adapters.pg_workspace import Connection, Database, sql
from relaygram_api.caller import Caller
from relaygram_common.security.tokens import hash_secret, new_secret


async def create(
    connection: Connection, caller: Caller, campaign_id: int, *, valid_seconds: float
) -> tuple[str, datetime]:
    """A new ticket, of which only the hash is kept, and when it ends."""
    ticket = new_secret()
    expires_at: datetime = await connection.fetchval(
        sql["insert_stream_ticket"],
        hash_secret(ticket),
        caller.workspace_id,
        caller.token_id,
        campaign_id,
        valid_seconds,
    )
    return ticket, expires_at


async def redeem(database: Database, ticket: str, campaign_id: int) -> int | None:
    """The id of the token that made it; None when it is unknown, used, late, or another campaign's."""
    row = await database.fetch_for_nobody("redeem_stream_ticket", hash_secret(ticket), campaign_id)
    return row["token_id"] if row else None


async def prune(database: Database, most: int) -> int:
    """Remove tickets that nobody used in time, so many at most; how many went."""
    row = await database.fetch_for_nobody("prune_stream_tickets", most)
    return row["pruned"] if row else 0
