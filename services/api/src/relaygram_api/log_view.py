"""A row of the log as callers see it."""

from collections.abc import Mapping
from typing import Any

from relaygram_api.answers import micros


def shown_row(row: Mapping[str, Any]) -> dict[str, Any]:
    error = {"code": row["error_code"], "message": row["error_message"] or ""} if row["error_code"] else None
    return {
        "id": row["id"],
        "campaign_id": row["campaign_id"],
        "sender_id": row["sender_id"],
        "direction": "outbound",
        "body": row["body"],
        "status": row["status"],
        "telegram_message_id": _text(row["telegram_message_id"]),
        "triggered_by_message_id": _text(row["triggered_by_message_id"]),
        "sequence_step": row["step"],
        "error": error,
        "sent_at": micros(row["sent_at"]),
        "created_at": micros(row["created_at"]),
        "revision": row["revision"],
        "attempts": row["attempt"],
        "read_at": micros(row["read_at"]),
        "replied_at": micros(row["replied_at"]),
        "job_id": str(row["job_id"]),
    }


def _text(number: int | None) -> str | None:
    return None if number is None else str(number)
