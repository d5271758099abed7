"""The delivery events of the gateway: the whole row each time, from the job and its line in the ledger."""

from dataclasses import dataclass
from datetime import UTC, datetime

from relaygram_common.contracts.delivery import DeliveryError, DeliveryEvent, delivery_event
from relaygram_common.contracts.jobs import SendJob
from relaygram_common.contracts.states import MessageState


@dataclass(frozen=True, slots=True)
class Person:
    """What the log says of the recipient, never a phone, and of what goes to them."""

    handle: str | None
    telegram_user_id: int | None
    reference: str | None
    entity_id: str | None
    application_id: str | None
    content_type: str | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """The ledger's line of one job, as far as an event tells it."""

    state: MessageState
    attempt: int
    occurred_at: datetime
    body: str | None
    telegram_message_id: int | None = None
    code: str | None = None
    message: str | None = None


# The message that was to be answered is too old by now.
TRIGGER_EXPIRED = "TRIGGER_EXPIRED"
# After these an event is not the last one.
_PASSING = frozenset({MessageState.RETRYING, MessageState.DEFERRED})
_STATES = {"accepted": MessageState.SENT, "refused": MessageState.FAILED, "dropped": MessageState.DISCARDED}


def state_of(ledger_state: str, code: str | None = None) -> MessageState:
    """The message state that a final ledger state means."""
    return MessageState.EXPIRED if code == TRIGGER_EXPIRED else _STATES[ledger_state]


def quiet_line(attempt: int, now: datetime, until: datetime) -> Line:
    """Put off, not decided: `deferred` changes no state."""
    message = f"Quiet hours until {until.astimezone(UTC).strftime('%Y-%m-%d %H:%M')} UTC."
    return Line(MessageState.DEFERRED, attempt, now, None, code="QUIET_HOURS", message=message)


def sender_name(handle: str | None, telegram_user_id: int | None) -> str | None:
    """How an account, or a person, is shown: the handle, else the Telegram id."""
    if handle:
        return f"@{handle}"
    return None if telegram_user_id is None else str(telegram_user_id)


def event_for(job: SendJob, person: Person, line: Line, *, sender: str | None) -> DeliveryEvent:
    """One event."""
    error = None
    if line.code is not None:
        error = DeliveryError(code=line.code, message=line.message or line.code, permanent=line.state not in _PASSING)
    return delivery_event(
        job=job.job_id,
        state=line.state,
        attempt=line.attempt,
        occurred_at=line.occurred_at,
        workspace_id=job.workspace_id,
        campaign_id=job.campaign_id or None,
        account_id=job.account_id,
        sender_id=job.contact_id,
        run_id=job.run_id or None,
        sender=sender,
        destination=sender_name(person.handle, person.telegram_user_id),
        step=job.step,
        follow_up=job.follow_up,
        trigger=job.trigger,
        body=line.body,
        content_type=person.content_type,
        queued_at=job.queued_at,
        recipient_id=person.telegram_user_id,
        triggered_by_message_id=job.triggered_by_message_id,
        telegram_message_id=line.telegram_message_id,
        error=error,
        reference=person.reference,
        entity_id=person.entity_id,
        application_id=person.application_id,
    )
