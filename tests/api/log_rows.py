"""Rows of the log, written as the log-writer writes them."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import asyncpg

from relaygram_common.contracts.states import RANKS, MessageState
from tests.api.support import Api
from tests.support.servers import Database

_TYPES = {
    "campaign_id": "bigint", "job_id": "uuid", "workspace_id": "bigint", "channel": "text", "state": "text",
    "rank": "smallint", "attempt": "int", "account_id": "bigint", "sender_id": "bigint", "run_id": "bigint",
    "sender": "text", "destination": "text", "step": "int", "trigger": "text", "body": "text", "content_type": "text",
    "queued_at": "timestamptz", "sent_at": "timestamptz", "read_at": "timestamptz", "replied_at": "timestamptz",
    "ended_at": "timestamptz", "telegram_message_id": "bigint", "triggered_by_message_id": "bigint",
    "error_code": "text", "error_message": "text", "error_permanent": "boolean", "reference": "text",
    "entity_id": "text", "application_id": "text", "price": "jsonb",
    "recipient_id": "bigint", "follow_up": "int",
}  # fmt: skip


def row(campaign_id: int, state: str, **fields: Any) -> dict[str, Any]:
    """One event; what is not given is as a broadcast's first message has it."""
    now = datetime.now(UTC)
    return {
        "campaign_id": campaign_id,
        "job_id": uuid4(),
        "channel": "telegram",
        "state": state,
        "rank": RANKS[MessageState(state)],
        "attempt": 0 if state == "queued" else 1,
        "step": 0,
        "trigger": "broadcast",
        "content_type": "text",
        "queued_at": now,
        "sent_at": now if state == "sent" else None,
        **fields,
    }


async def write_log(api: Api, rows: Sequence[dict[str, Any]]) -> None:
    """Write these events in one batch."""
    await write_rows(api.database, api.workspace_id, rows)


async def write_rows(database: Database, workspace_id: int, rows: Sequence[dict[str, Any]]) -> None:
    """The same, of a workspace of which there is only the id."""
    arguments = ", ".join(f"p_{name} => ${place}::{kind}[]" for place, (name, kind) in enumerate(_TYPES.items(), 1))
    columns = [[{"workspace_id": workspace_id, **one}.get(name) for one in rows] for name in _TYPES]
    connection = await asyncpg.connect(database.log_writer, server_settings={"relaygram.workspace_id": "*"})
    try:
        await connection.execute(f"select from delivery.write_messages({arguments})", *columns)
    finally:
        await connection.close()
