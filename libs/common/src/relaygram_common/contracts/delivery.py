"""Delivery events: what happened to one message. Public; additive changes only."""

from datetime import datetime
from typing import Any, Literal, Self
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from relaygram_common.contracts.cloud_events import cloud_event_headers
from relaygram_common.contracts.ids import event_id
from relaygram_common.contracts.states import MessageState

MAX_ID = 2**63 - 1

Trigger = Literal["broadcast", "schedule", "sequence", "follow_up", "auto_reply", "opt_out", "test"]


class DeliveryError(BaseModel):
    """Why a message was not sent: a stable code, a sentence for people, whether trying again is pointless."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    code: str = Field(min_length=1, max_length=100)
    message: str = Field(max_length=2000)
    permanent: bool = True


class DeliveryEvent(BaseModel):
    """One change of one message, with the whole row, so that any event alone can make it.

    Subject: `delivery.event.<workspace>.<channel>.<state>.<campaign>` (campaign 0 where there is none).
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    event_id: UUID
    workspace_id: int = Field(ge=1, le=MAX_ID)
    campaign_id: int | None = Field(ge=1, le=MAX_ID)
    job_id: UUID
    channel: str = Field(default="telegram", pattern=r"^[a-z][a-z0-9_-]{0,30}$")
    state: MessageState
    attempt: int = Field(ge=0, le=2**31 - 1)
    occurred_at: AwareDatetime
    account_id: int | None = Field(default=None, ge=1, le=MAX_ID)
    sender_id: int | None = Field(default=None, ge=1, le=MAX_ID)
    run_id: int | None = Field(default=None, ge=1, le=MAX_ID)
    sender: str | None = Field(default=None, max_length=255)
    destination: str | None = Field(default=None, max_length=255)
    step: int | None = Field(default=None, ge=0, le=2**31 - 1)
    follow_up: int | None = Field(default=None, ge=0, le=2**31 - 1)  # which of the step's follow-ups
    trigger: Trigger | None = None
    body: str | None = None
    # text, image, document; of other channels as their gateway says
    content_type: str | None = Field(default=None, max_length=100)
    queued_at: AwareDatetime | None = None
    recipient_id: int | None = Field(default=None, ge=1, le=MAX_ID)  # the person's Telegram id, once it is known
    telegram_message_id: int | None = Field(default=None, ge=-MAX_ID, le=MAX_ID)
    triggered_by_message_id: int | None = Field(default=None, ge=-MAX_ID, le=MAX_ID)
    error: DeliveryError | None = None
    reference: str | None = Field(default=None, max_length=255)
    entity_id: str | None = Field(default=None, max_length=255)
    application_id: str | None = Field(default=None, max_length=255)
    price: dict[str, Any] | None = None

    @model_validator(mode="after")
    def _no_nul(self) -> Self:
        # PostgreSQL's text can not hold it, and one such row would hold up its whole batch.
        for text in (self.sender, self.destination, self.body, self.reference, self.entity_id, self.application_id):
            if text is not None and "\0" in text:
                raise ValueError("texts must not contain the character NUL")
        return self

    @property
    def subject(self) -> str:
        """Where this event is published."""
        return f"delivery.event.{self.workspace_id}.{self.channel}.{self.state.value}.{self.campaign_id or 0}"

    @property
    def headers(self) -> dict[str, str]:
        """Its CloudEvents headers."""
        headers = cloud_event_headers(
            event_id=self.event_id,
            event_type=f"com.relaygram.delivery.{self.state.value}.v1",
            workspace_id=self.workspace_id,
            time=self.occurred_at,
        )
        if self.channel != "telegram":
            # Their job ids are their own choice, and the stream knows one name space for all: an event must not be
            # dropped because another workspace, or a bridge that guesses a job id of ours, was there first.
            headers["Nats-Msg-Id"] = f"{self.workspace_id}.{self.event_id}"
        return headers


def delivery_event(
    *, job: UUID, state: MessageState, attempt: int, occurred_at: datetime, **fields: Any
) -> DeliveryEvent:
    """An event with the id that follows from job, state and attempt."""
    return DeliveryEvent(
        event_id=event_id(job, state.value, attempt),
        job_id=job,
        state=state,
        attempt=attempt,
        occurred_at=occurred_at,
        **fields,
    )
