"""Delivery events of other channels: those that are new go into the outbox, in the transaction that remembers them."""

from collections.abc import Collection

from relaygram_api.adapters.pg_workspace import Connection, Database, sql
from relaygram_common.contracts.delivery import DeliveryEvent


async def waiting(connection: Connection) -> int:
    """At most so many messages wait for NATS."""
    number: int = await connection.fetchval(sql["outbox_waiting"])
    return number


async def take(connection: Connection, workspace_id: int, events: Collection[DeliveryEvent]) -> int:
    """Pass these on, each with an id of its own; how many were not taken before."""
    if not events:
        return 0
    taken: int = await connection.fetchval(
        sql["take_events"],
        workspace_id,
        [event.event_id for event in events],
        [event.subject for event in events],
        [event.model_dump(mode="json") for event in events],
        [event.headers for event in events],
        timeout=5.0,
    )
    return taken


async def prune(database: Database, most: int) -> int:
    """Forget what was taken too long ago to come again, so many at most; how many went."""
    row = await database.fetch_for_nobody("prune_taken_events", most)
    return row["pruned"] if row else 0
