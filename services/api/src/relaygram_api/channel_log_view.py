"""A row of a channel's log as callers see it: every key is always there."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from relaygram_api.core.channel_status import ERROR_GROUPS, GROUPS, Fault, Status, told

_FREE: Final = {"pricePerMessage": 0, "currency": "EUR"}
# Kinds of content that have a name of their own; any other is called as its event calls it.
_TYPES: Final = {"photo": "IMAGE", "document": "FILE"}


def shown_channel_row(row: Mapping[str, Any]) -> dict[str, Any]:
    status, fault = told(row["state"], row["error_code"], row["error_message"], permanent=row["error_permanent"])
    return {
        "sender": row["sender"],
        "destination": row["destination"],
        "bulkId": None if row["run_id"] is None else str(row["run_id"]),
        "messageId": str(row["job_id"]),
        "sentAt": _written(row["queued_at"]),
        "doneAt": _written(row["done_at"]),
        "messageCount": 1,
        "price": _price(row["price"]),
        "status": _status(status),
        "error": _error(fault),
        "platform": {"entityId": row["entity_id"], "applicationId": row["application_id"]},
        "content": {"text": row["body"], "type": content_type(row["content_type"])},
    }


def content_type(kind: str | None) -> str:
    """What the row's kind of content is called here; text, where its event says nothing."""
    return _TYPES.get(kind or "text", (kind or "text").upper())


def _status(status: Status) -> dict[str, Any]:
    return {
        "groupId": GROUPS.index(status.group),
        "groupName": status.group,
        "id": status.id,
        "name": status.name,
        "description": status.description,
    }


def _error(fault: Fault) -> dict[str, Any]:
    return {
        "groupId": fault.group_id,
        "groupName": ERROR_GROUPS[fault.group_id],
        "id": fault.id,
        "name": fault.name,
        "description": fault.description,
        "permanent": fault.permanent,
    }


def _price(price: object) -> dict[str, Any]:
    """The event's own, as far as it is one; else nothing was to be paid."""
    if not isinstance(price, dict):
        return dict(_FREE)
    amount, currency = price.get("pricePerMessage"), price.get("currency")
    is_number = isinstance(amount, int | float) and not isinstance(amount, bool)
    return {
        "pricePerMessage": amount if is_number else _FREE["pricePerMessage"],
        "currency": currency if isinstance(currency, str) else _FREE["currency"],
    }


def _written(moment: datetime | None) -> str | None:
    """UTC, three digits, an offset without a colon."""
    if moment is None:
        return None
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}+0000"
