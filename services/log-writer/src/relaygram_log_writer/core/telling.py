"""The public events that follow from receipts: one for each message that was read or replied to."""

from collections.abc import Iterator, Mapping
from typing import Any

from relaygram_common.contracts.delivery import DeliveryError, DeliveryEvent, delivery_event
from relaygram_common.contracts.states import MessageState

# What an event says as the row has it. It has the whole row, so that it changes nothing when it comes back.
_AS_IN_ROW = (
    "workspace_id",
    "channel",
    "account_id",
    "sender_id",
    "run_id",
    "sender",
    "destination",
    "step",
    "follow_up",
    "trigger",
    "body",
    "content_type",
    "queued_at",
    "recipient_id",
    "telegram_message_id",
    "triggered_by_message_id",
    "reference",
    "entity_id",
    "application_id",
    "price",
)


def events_of(row: Mapping[str, Any], *, is_read: bool, is_replied: bool) -> Iterator[DeliveryEvent]:
    """What is to be told of a row of the log that was read or replied to for the first time."""
    if is_read:
        yield _event(row, MessageState.READ, row["read_at"])
    if is_replied:
        yield _event(row, MessageState.REPLIED, row["replied_at"])


def _event(row: Mapping[str, Any], state: MessageState, at: Any) -> DeliveryEvent:
    error = None
    if row["error_code"] is not None:  # LOG_INCOMPLETE
        error = DeliveryError(
            code=row["error_code"], message=row["error_message"] or "", permanent=bool(row["error_permanent"])
        )
    return delivery_event(
        job=row["job_id"],
        state=state,
        attempt=row["attempt"],
        occurred_at=at,
        campaign_id=row["campaign_id"] or None,
        error=error,
        **{name: row[name] for name in _AS_IN_ROW},
    )
