"""What becomes of due rows whose time has come: a job, a later time, the next step instead, or an end."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from relaygram_common.contracts.delivery import DeliveryError, DeliveryEvent, delivery_event
from relaygram_common.contracts.jobs import SendJob
from relaygram_common.contracts.states import MessageState
from relaygram_common.templates import text_for
from relaygram_dispatcher.core.pages import sender_name
from relaygram_dispatcher.core.run import Contact, Content, Due, Step

_EXPIRED = DeliveryError(code="TRIGGER_EXPIRED", message="The message that asked for this reply is too old by now.")


@dataclass(slots=True)
class Sorted:
    """The rows of a page, by what is to be done."""

    send: list[Due] = field(default_factory=list)
    expire: list[Due] = field(default_factory=list)
    put_off: list[tuple[Due, datetime]] = field(default_factory=list)
    skip: list[Due] = field(default_factory=list)  # the step is no longer there: what comes next instead
    drop: list[Due] = field(default_factory=list)


def step_of(content: Content, row: Due) -> Step | None:
    """The row's step as it is now; None: it was removed, or the campaign has none."""
    return next((step for step in content.steps if step.identity == row.step_identity), None)


def text_of(content: Content, row: Due) -> str | None:
    """The row's template as it is now; None: nothing stands there any more."""
    step = step_of(content, row)
    if row.follow_up is not None:
        return step.follow_ups[row.follow_up][1] if step and row.follow_up < len(step.follow_ups) else None
    if step is not None:
        return step.body
    return content.template if not content.steps and row.step_identity == 0 else None


def sort_rows(content: Content, rows: Sequence[tuple[Due, Contact | None]], *, now: datetime) -> Sorted:
    """A counted row is in the log already: it must become a job again, whose admission tells its end."""
    out = Sorted()
    for row, contact in rows:
        if row.expires_at is not None and row.expires_at <= now:
            out.expire.append(row)
        elif contact is not None and contact.quiet_until is not None and row.trigger != "auto_reply":
            out.put_off.append((row, contact.quiet_until))
        elif row.counted:
            out.send.append(row)
        elif contact is None:
            # Taken out: the first message counts in the campaign's total and ends as `discarded`, the others do not.
            first = row.follows_at is None and row.trigger != "auto_reply"
            (out.send if first else out.drop).append(row)
        elif text_of(content, row) is not None:
            out.send.append(row)
        elif row.follow_up is None and (content.steps or row.follows_at is None):
            out.skip.append(row)
        else:
            out.drop.append(row)
    return out


def due_events(
    content: Content, rows: Sequence[Due], people: Mapping[int, Contact], *, expired: bool, now: datetime
) -> list[DeliveryEvent]:
    """The log's rows of due messages: `queued`, or `expired` for those that come too late."""
    return [
        delivery_event(
            job=row.job_id,
            state=MessageState.EXPIRED if expired else MessageState.QUEUED,
            attempt=0,
            occurred_at=now,
            workspace_id=content.workspace_id,
            campaign_id=content.campaign_id,
            account_id=content.account_id,
            sender_id=row.contact_id,
            run_id=content.run_id,
            sender=content.sender,
            destination=_destination(people.get(row.contact_id)),
            step=_position(content, row),
            follow_up=row.follow_up,
            trigger=content.told_trigger(row.trigger),
            body=_body(content, row, people.get(row.contact_id)),
            content_type=_content_type(content, row),
            queued_at=now,
            triggered_by_message_id=row.triggered_by_message_id,
            error=_EXPIRED if expired else None,
            reference=content.reference,
            entity_id=content.entity_id,
            application_id=content.application_id,
        )
        for row in rows
    ]


def due_jobs(content: Content, rows: Sequence[Due], *, now: datetime) -> list[SendJob]:
    """Their jobs: ids only."""
    return [
        SendJob.model_validate(
            {
                "job_id": row.job_id,
                "workspace_id": content.workspace_id,
                "account_id": content.account_id,
                "campaign_id": content.campaign_id,
                "contact_id": row.contact_id,
                "run_id": content.run_id,
                "step": _position(content, row),
                "step_identity": row.step_identity,
                "follow_up": row.follow_up,
                "trigger": content.told_trigger(row.trigger),
                "triggered_by_message_id": row.triggered_by_message_id,
                "queued_at": now,
                "expires_at": row.expires_at,
            }
        )
        for row in rows
    ]


def _position(content: Content, row: Due) -> int:
    step = step_of(content, row)
    return row.step if step is None else step.position


def _destination(person: Contact | None) -> str | None:
    return None if person is None else sender_name(person.handle, person.telegram_user_id)


def _content_type(content: Content, row: Due) -> str | None:
    """A follow-up carries nothing."""
    if row.follow_up is not None:
        return "text"
    step = step_of(content, row)
    return content.content_type if step is None else step.content_type


def _body(content: Content, row: Due, person: Contact | None) -> str:
    return text_for(
        text_of(content, row) or "",
        first_name=person.first_name if person else None,
        last_name=person.last_name if person else None,
        handle=person.handle if person else None,
        columns=person.columns if person else {},
    )
