"""One row of the log, as delivery.write_messages takes it, and the row that one event makes."""

from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

from relaygram_common.contracts.delivery import DeliveryEvent
from relaygram_common.contracts.states import RANKS, MessageState


class Row(NamedTuple):
    """The columns in the order of the function's parameters."""

    campaign_id: int
    job_id: UUID
    workspace_id: int
    channel: str
    state: str
    rank: int
    attempt: int
    account_id: int | None
    sender_id: int | None
    run_id: int | None
    sender: str | None
    destination: str | None
    step: int | None
    trigger: str | None
    body: str | None
    content_type: str | None
    queued_at: datetime
    sent_at: datetime | None
    read_at: datetime | None
    replied_at: datetime | None
    ended_at: datetime | None
    telegram_message_id: int | None
    triggered_by_message_id: int | None
    error_code: str | None
    error_message: str | None
    error_permanent: bool | None
    reference: str | None
    entity_id: str | None
    application_id: str | None
    price: dict[str, Any] | None
    recipient_id: int | None
    follow_up: int | None


Key = tuple[int, UUID]

TELEGRAM: Final = "telegram"

# Gateways of other channels may tell only that a message was delivered: then it was sent, too.
_SENT = frozenset({MessageState.SENT, MessageState.DELIVERED})
_ENDED = frozenset({MessageState.DISCARDED, MessageState.EXPIRED, MessageState.FAILED})


class _Meaning(NamedTuple):
    """What a state says of its row, looked up once an event."""

    name: str
    rank: int
    is_sent: bool
    is_read: bool
    is_replied: bool
    has_ended: bool


_MEANINGS: Final = {
    state: _Meaning(
        state.value,
        rank,
        state in _SENT,
        state is MessageState.READ,
        state is MessageState.REPLIED,
        state in _ENDED,
    )
    for state, rank in RANKS.items()
}


def row_of(event: DeliveryEvent) -> Row | None:
    """The row an event makes; None for `deferred`, which changes no state."""
    meaning = _MEANINGS.get(event.state)
    if meaning is None:
        return None
    at, error = event.occurred_at, event.error
    return Row(
        _place(event),
        event.job_id,
        event.workspace_id,
        event.channel,
        meaning.name,
        meaning.rank,
        event.attempt,
        event.account_id,
        event.sender_id,
        event.run_id,
        event.sender,
        event.destination,
        event.step,
        event.trigger,
        event.body,
        event.content_type,
        _made_at(event),
        at if meaning.is_sent else None,
        at if meaning.is_read else None,
        at if meaning.is_replied else None,
        at if meaning.has_ended else None,
        event.telegram_message_id,
        event.triggered_by_message_id,
        error.code if error else None,
        error.message if error else None,
        error.permanent if error else None,
        event.reference,
        event.entity_id,
        event.application_id,
        event.price,
        event.recipient_id,
        event.follow_up,
    )


def _place(event: DeliveryEvent) -> int:
    """The campaign that the row rests under. Other channels choose their job ids: no workspace can reach another's."""
    if event.channel != TELEGRAM:
        return -event.workspace_id
    return event.campaign_id or 0  # test sends


def _made_at(event: DeliveryEvent) -> datetime:
    """Each row says when its message was made: at the latest when the first was heard of it. In whole milliseconds."""
    made_at = event.queued_at or event.occurred_at
    beyond = made_at.microsecond % 1000
    return made_at - timedelta(microseconds=beyond) if beyond else made_at
