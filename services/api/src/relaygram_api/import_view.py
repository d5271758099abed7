"""An import as callers see it."""

from typing import Any

from relaygram_api.answers import seconds


def shown_import(row: dict[str, Any]) -> dict[str, Any]:
    """The contract's fields."""
    return {
        "id": row["id"],
        "campaign_id": row["campaign_id"],
        "status": row["status"],
        "received": row["received"],
        "accepted": row["accepted"],
        "duplicates": row["duplicates"],
        "rejected": row["rejected"],
        "message": row["message"],
        "created_at": seconds(row["created_at"]),
        "finished_at": seconds(row["finished_at"]),
    }
