"""Delivery events of other channels as their bridges give them: each is checked by itself.

What is let through here is stored by PostgreSQL and the log-writer as it is, so bounds are stricter than the event's.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final
from uuid import UUID

from pydantic import AfterValidator, BeforeValidator, Field, StrictBool, StrictStr, StringConstraints, ValidationError

from relaygram_api.errors import field_errors
from relaygram_api.fields import Body, Id, no_nul
from relaygram_common.contracts.delivery import MAX_ID, DeliveryEvent, Trigger, delivery_event
from relaygram_common.contracts.ids import event_id
from relaygram_common.contracts.states import MessageState

MOST_EVENTS: Final = 1000
_OLDEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
_CLOCKS_DIFFER: Final = timedelta(days=1)
_SAID_APART: Final = {"event_id", "workspace_id", "job_id", "state", "attempt", "occurred_at", "queued_at"}
_PROBLEMS_TOLD = 5
_LONGEST_REASON = 500


def _aware(value: object) -> datetime | None:
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) and len(value) <= 64 else None
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ValueError("should be a time in ISO 8601 with its offset, such as 2026-04-21T16:02:45Z")
    return moment


def _other_channel(name: str) -> str:
    if name == "telegram":
        raise ValueError("should be another channel: what happens on telegram is told by Relaygram")
    return name


def _no_campaign(value: object) -> None:
    if value is not None:
        raise ValueError("should be null: campaigns are Relaygram's own")


Text = Annotated[StrictStr, StringConstraints(max_length=255), AfterValidator(no_nul)]
Code = Annotated[StrictStr, StringConstraints(min_length=1, max_length=100), AfterValidator(no_nul)]
Channel = Annotated[StrictStr, StringConstraints(pattern="^[a-z][a-z0-9_-]{0,30}$"), AfterValidator(_other_channel)]
AwareMoment = Annotated[datetime, BeforeValidator(_aware)]
Count = Annotated[int, Field(strict=True, ge=0, le=2**31 - 1)]
MessageId = Annotated[int, Field(strict=True, ge=-MAX_ID, le=MAX_ID)]


class DeliveryErrorGiven(Body):
    """Why a message was not sent."""

    code: Code
    message: Annotated[StrictStr, StringConstraints(max_length=2000), AfterValidator(no_nul)]
    permanent: StrictBool = Field(default=True, description="Whether trying again is pointless.")


class PriceGiven(Body):
    """What the message cost."""

    pricePerMessage: Annotated[  # noqa: N815 - as the channel logs show it
        float, Field(strict=True, ge=0, le=1e9, allow_inf_nan=False, description="In whole units of the currency.")
    ]
    currency: Annotated[StrictStr, Field(pattern="^[A-Z]{3}$", description="ISO 4217.")]


class DeliveryEventGiven(Body):
    """What happened to one message on another channel. Give what is known: later events fill in what is missing."""

    event_id: UUID | None = Field(
        default=None,
        description="The version 5 UUID of `<state>/<attempt>` in the name space `job_id`, as it is when left out.",
    )
    workspace_id: Id | None = Field(default=None, description="The token's, if it is given.")
    campaign_id: Annotated[None, BeforeValidator(_no_campaign)] = Field(default=None, description="Always null.")
    job_id: UUID = Field(description="The message, by an id of your choice: the same in all its events.")
    channel: Channel = Field(description="Such as `sms` or `messenger`; not `telegram`.")
    state: MessageState = Field(description="What it is now; whatever the order of arrival, the furthest state stays.")
    attempt: Count = Field(description="Which try it was, from 1; 0 before the first.")
    occurred_at: AwareMoment = Field(description="When it happened; at most a day ahead of our clock.")
    account_id: Id | None = Field(default=None, description="A number of your choice for the account that sends.")
    sender_id: Id | None = Field(default=None, description="A number of your choice for the person.")
    run_id: Id | None = Field(default=None, description="Messages that were sent together have the same number.")
    sender: Text | None = Field(default=None, description="Who it came from.")
    destination: Text | None = Field(default=None, description="Who it went to.")
    step: Count | None = Field(default=None, description="Which text of a sequence it was, from 0.")
    trigger: Trigger | None = Field(default=None, description="Why it was sent.")
    body: Annotated[StrictStr, StringConstraints(max_length=65_536), AfterValidator(no_nul)] | None = Field(
        default=None, description="The text."
    )
    content_type: Annotated[StrictStr, StringConstraints(max_length=100), AfterValidator(no_nul)] | None = Field(
        default=None, description="Such as `text`."
    )
    queued_at: AwareMoment | None = Field(
        default=None, description="When the message was made; else the earliest time in its events counts."
    )
    telegram_message_id: MessageId | None = Field(default=None, description="The channel's number of the message.")
    triggered_by_message_id: MessageId | None = Field(default=None, description="Of the message that it answers.")
    error: DeliveryErrorGiven | None = Field(default=None, description="Why it was not sent.")
    reference: Text | None = None
    entity_id: Text | None = None
    application_id: Text | None = None
    price: PriceGiven | None = Field(default=None, description="What it cost; null when that is not known.")


@dataclass(frozen=True, slots=True)
class Rejected:
    """Why an event was not taken."""

    index: int
    reason: str


@dataclass(slots=True)
class Sorted:
    """What a batch came to."""

    events: dict[UUID, DeliveryEvent] = field(default_factory=dict)
    rejected: list[Rejected] = field(default_factory=list)


def sort_out(given: Sequence[Any], *, workspace_id: int, now: datetime) -> Sorted:
    """The good events, each once, and what is wrong with the others."""
    batch = Sorted()
    for index, one in enumerate(given):
        if not isinstance(one, dict):
            batch.rejected.append(Rejected(index, "must be a JSON object"))
            continue
        try:
            event = _event(DeliveryEventGiven.model_validate(one), workspace_id, now)
        except ValidationError as error:
            batch.rejected.append(Rejected(index, _in_words(error)))
        except ValueError as error:
            batch.rejected.append(Rejected(index, str(error)))
        else:
            batch.events.setdefault(event.event_id, event)
    return batch


def _event(given: DeliveryEventGiven, workspace_id: int, now: datetime) -> DeliveryEvent:
    """Raises ValueError."""
    if given.workspace_id not in (None, workspace_id):
        raise ValueError("workspace_id: should be the workspace of the token")
    for name, moment in (("occurred_at", given.occurred_at), ("queued_at", given.queued_at)):
        if moment is not None and not _OLDEST <= moment <= now + _CLOCKS_DIFFER:
            raise ValueError(f"{name}: should be between the year 2000 and tomorrow")
    right = event_id(given.job_id, given.state.value, given.attempt)
    if given.event_id not in (None, right):
        raise ValueError(f"event_id: should be {right}, which follows from job_id, state and attempt, or left out")
    fields = given.model_dump(exclude=_SAID_APART)
    fields["queued_at"] = given.queued_at and given.queued_at.astimezone(UTC)
    return delivery_event(
        job=given.job_id,
        state=given.state,
        attempt=given.attempt,
        occurred_at=given.occurred_at.astimezone(UTC),
        workspace_id=workspace_id,
        **fields,
    )


def _in_words(error: ValidationError) -> str:
    fields = field_errors(error.errors(include_url=False, include_input=False))
    told = [f"{name}: {problem}" for name, problems in fields.items() for problem in problems]
    return "; ".join(told[:_PROBLEMS_TOLD])[:_LONGEST_REASON]
