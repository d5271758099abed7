"""Counters of a campaign that the log-writer keeps: nothing here reads the log."""

from datetime import datetime

from relaygram_api.adapters.pg_workspace import Connection, sql


async def codes(connection: Connection, campaign_id: int) -> list[tuple[str, int]]:
    """Failed messages by code, the most frequent first."""
    return [(row["code"], row["messages"]) for row in await connection.fetch(sql["campaign_codes"], campaign_id)]


async def minutes(connection: Connection, campaign_id: int, now: datetime) -> dict[datetime, int]:
    """Messages sent in each minute of the last hour that had any."""
    rows = await connection.fetch(sql["campaign_minutes"], campaign_id, now)
    return {row["minute"]: row["sent"] for row in rows}
