"""A campaign as callers see it."""

from collections.abc import Mapping
from typing import Any

from relaygram_api.answers import seconds

_TERMINAL = ("completed", "stopped")


def shown_campaign(row: Mapping[str, Any]) -> dict[str, Any]:
    """The contract's fields, in its order."""
    sent, failed, pending = row["sent"] or 0, row["failed"] or 0, row["pending"] or 0
    return {
        "id": row["id"],
        "name": row["name"],
        "mode": row["mode"],
        "trigger_keyword": row["trigger_keyword"],
        "body": row["body"],
        "status": row["status"],
        "telegram_account_id": row["telegram_account_id"],
        "scheduled_at": seconds(row["scheduled_at"]),
        "started_at": seconds(row["started_at"]),
        "completed_at": seconds(row["completed_at"]),
        "total_contacts": row["total_contacts"],
        "sent_count": sent,
        "failed_count": failed,
        "status_reason": row["status_reason"],
        "next_send_at": seconds(row["next_send_at"]),
        "waiting_for": row["waiting_for"],
        # While it lives, also those who have no log row yet; who wrote first is in the log without being a contact.
        "pending_count": pending if row["status"] in _TERMINAL else max(row["total_contacts"] - sent - failed, pending),
        "read_count": row["read"] or 0,
        "reply_count": row["replied"] or 0,
        "created_at": seconds(row["created_at"]),
        "updated_at": seconds(row["updated_at"]),
        "time_zone": row["time_zone"],
        "quiet_hours": row["quiet_hours"],
        "reference": row["reference"],
        "entity_id": row["entity_id"],
        "application_id": row["application_id"],
        "attachments": row["attachments"],
        "misfire": row["misfire"],
    }
