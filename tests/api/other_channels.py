"""Delivery events of other channels, as a bridge gives them."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from tests.api.support import Api

PATH = "/delivery-events"


def given(state: str = "sent", **fields: Any) -> dict[str, Any]:
    """An event; with nothing said, of a message nobody has heard of."""
    return {
        "job_id": str(uuid4()),
        "channel": "sms",
        "state": state,
        "attempt": 1,
        "occurred_at": datetime.now(UTC).isoformat(),
        **fields,
    }


def whole(state: str = "sent", **fields: Any) -> dict[str, Any]:
    """An event with everything that can be told."""
    told = {
        "campaign_id": None, "account_id": 4, "sender_id": 12, "run_id": 9, "sender": "ACME",
        "destination": "+4915112345678", "step": 0, "trigger": "broadcast", "body": "Your parcel arrives today.",
        "content_type": "text", "queued_at": "2026-04-21T16:02:42.801999+02:00", "telegram_message_id": 77,
        "triggered_by_message_id": None, "error": None, "reference": "parcels", "entity_id": "shop",
        "application_id": "app", "price": {"pricePerMessage": 0.07, "currency": "EUR"},
    }  # fmt: skip
    return given(state, **{**told, **fields})


async def post(api: Api, *events: Any, **arguments: Any) -> dict[str, Any]:
    """What became of these."""
    found: dict[str, Any] = await api.data("POST", PATH, status=202, json={"events": [*events]}, **arguments)
    return found
