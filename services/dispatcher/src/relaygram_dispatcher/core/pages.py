"""One page of people, as the events and jobs it becomes. The same page always gives the same ids."""

from collections.abc import Sequence
from datetime import datetime

from relaygram_common.contracts.delivery import DeliveryError, DeliveryEvent, delivery_event
from relaygram_common.contracts.jobs import SendJob
from relaygram_common.contracts.states import MessageState
from relaygram_common.templates import text_for
from relaygram_dispatcher.core.run import Contact, Content, Due, Pending, Step
from relaygram_dispatcher.core.sequence import step_job, step_trigger

_LEDGER_STATES = {
    "accepted": MessageState.SENT,
    "refused": MessageState.FAILED,
    "dropped": MessageState.DISCARDED,
}
_DISCARDED = {
    "STOPPED": "The campaign was stopped before this message was sent.",
    "DELETED": "The campaign was deleted before this message was sent.",
}


def sender_name(handle: str | None, telegram_user_id: int | None) -> str | None:
    """How the log calls an account or a person: never by phone."""
    if handle:
        return f"@{handle}"
    return None if telegram_user_id is None else str(telegram_user_id)


def first_rows(campaign_id: int, step: Step | None, people: Sequence[Contact], *, now: datetime) -> list[Due]:
    """Due rows of the first message to each person: now, or when quiet hours end. No step: the body."""
    identity, position = (step.identity, step.position) if step else (0, 0)
    return [
        Due(
            job_id=step_job(campaign_id, person.id, identity),
            contact_id=person.id,
            trigger=step_trigger(identity),
            step_identity=identity,
            step=position,
            follow_up=None,
            due_at=person.quiet_until or now,
            quiet=person.quiet_until is not None,
        )
        for person in people
    ]


def queued_events(content: Content, people: Sequence[Contact], *, now: datetime) -> list[DeliveryEvent]:
    """The log's pending rows."""
    return [
        delivery_event(
            job=step_job(content.campaign_id, person.id, 0),
            state=MessageState.QUEUED,
            attempt=0,
            occurred_at=now,
            workspace_id=content.workspace_id,
            campaign_id=content.campaign_id,
            account_id=content.account_id,
            sender_id=person.id,
            run_id=content.run_id,
            sender=content.sender,
            destination=sender_name(person.handle, person.telegram_user_id),
            step=0,
            trigger=content.told_trigger("broadcast"),
            body=text_for(
                content.template,
                first_name=person.first_name,
                last_name=person.last_name,
                handle=person.handle,
                columns=person.columns,
            ),
            content_type=content.content_type,
            queued_at=now,
            reference=content.reference,
            entity_id=content.entity_id,
            application_id=content.application_id,
        )
        for person in people
    ]


def jobs_of(content: Content, events: Sequence[DeliveryEvent]) -> list[SendJob]:
    """The jobs of queued events: ids only."""
    return [
        SendJob.model_validate(
            {
                "job_id": event.job_id,
                "workspace_id": content.workspace_id,
                "account_id": content.account_id,
                "campaign_id": content.campaign_id,
                "contact_id": event.sender_id,
                "run_id": content.run_id,
                "step": event.step,
                "trigger": event.trigger,
                "queued_at": event.queued_at,
            }
        )
        for event in events
    ]


def job_again(content: Content, message: Pending) -> SendJob:
    """The job of a message that is still undecided."""
    return SendJob.model_validate(
        {
            "job_id": message.job_id,
            "workspace_id": content.workspace_id,
            "account_id": content.account_id,
            "campaign_id": content.campaign_id,
            "contact_id": message.contact_id,
            "run_id": content.run_id,
            "step": message.step,
            "follow_up": message.follow_up,
            "trigger": message.trigger,
            "queued_at": message.queued_at,
        }
    )


def discarded_event(content: Content, message: Pending, *, code: str, now: datetime) -> DeliveryEvent:
    """The end of a message that never left."""
    error = DeliveryError(code=code, message=_DISCARDED[code])
    return _outcome(content, message, MessageState.DISCARDED, now, error)


def event_of_ledger(content: Content, message: Pending) -> DeliveryEvent:
    """What the gateway decided, told once more: its own event was lost on the way. Needs a final ledger state."""
    if message.ledger_state is None or message.decided_at is None:
        raise ValueError(f"job {message.job_id} is not decided in the ledger")
    state = _LEDGER_STATES[message.ledger_state]
    error = None
    if state is not MessageState.SENT:
        error = DeliveryError(code=message.code or "UNKNOWN", message=message.message or "")
    return _outcome(content, message, state, message.decided_at, error)


def _outcome(
    content: Content, message: Pending, state: MessageState, at: datetime, error: DeliveryError | None
) -> DeliveryEvent:
    return delivery_event(
        job=message.job_id,
        state=state,
        attempt=message.attempt,
        occurred_at=at,
        workspace_id=content.workspace_id,
        campaign_id=content.campaign_id,
        account_id=content.account_id,
        sender_id=message.contact_id,
        run_id=content.run_id,
        sender=message.sender or content.sender,
        destination=message.destination,
        step=message.step,
        follow_up=message.follow_up,
        trigger=message.trigger,
        body=message.sent_body if message.sent_body is not None else message.body,
        content_type=message.content_type,
        queued_at=message.queued_at,
        telegram_message_id=message.telegram_message_id,
        error=error,
        reference=content.reference,
        entity_id=content.entity_id,
        application_id=content.application_id,
    )
