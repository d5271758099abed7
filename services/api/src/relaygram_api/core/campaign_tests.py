"""Test sends: who gets one, and what is told of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from relaygram_api.core.messages import Message
from relaygram_common.contracts.delivery import DeliveryEvent, delivery_event
from relaygram_common.contracts.ids import job_id
from relaygram_common.contracts.states import MessageState
from relaygram_common.templates import text_for

# What the phone of a test send is sealed for: the campaign that its job names.
PHONE_OWNER = "contact-phone:0"


@dataclass(frozen=True, slots=True)
class Recipient:
    """Whom the test goes to; the handle without `@`."""

    sender_id: int | None = None
    telegram_user_id: int | None = None
    handle: str | None = None
    phone: str | None = field(default=None, repr=False)
    first_name: str | None = None
    last_name: str | None = None
    columns: Mapping[str, str | None] = field(default_factory=dict)

    @property
    def destination(self) -> str | None:
        """As the log names people; never a phone."""
        if self.handle:
            return f"@{self.handle}"
        return None if self.telegram_user_id is None else str(self.telegram_user_id)

    @property
    def addresses(self) -> str:
        """What tells two people apart."""
        return f"{self.telegram_user_id}/{self.handle}/{self.phone}"


def job_id_of(campaign_id: int, recipient: Recipient, message: Message, request_id: str, fingerprint: bytes) -> UUID:
    """The same request for the same person is the same message, however often it comes."""
    trigger = f"{request_id}/{fingerprint.hex()}"
    return job_id(
        "test", campaign_id, recipient.sender_id or 0, step=message.step, follow_up=message.follow_up, trigger=trigger
    )


def text_of(message: Message, recipient: Recipient) -> str:
    """The text as this person gets it."""
    return text_for(
        message.template,
        first_name=recipient.first_name,
        last_name=recipient.last_name,
        handle=recipient.handle,
        columns=recipient.columns,
    )


def queued_event(
    *,
    job: UUID,
    row_id: int,
    campaign: Mapping[str, Any],
    message: Message,
    account: Mapping[str, Any],
    recipient: Recipient,
    at: datetime,
    content_type: str | None,
) -> DeliveryEvent:
    """The log's pending row. It belongs to no campaign: a test counts in none."""
    workspace_id = campaign["workspace_id"]
    handle, user_id = account["handle"], account["telegram_user_id"]
    return delivery_event(
        job=job,
        state=MessageState.QUEUED,
        attempt=0,
        occurred_at=at,
        workspace_id=workspace_id,
        campaign_id=None,
        account_id=account["id"],
        sender_id=row_id,
        sender=f"@{handle}" if handle else None if user_id is None else str(user_id),
        destination=recipient.destination,
        step=message.step,
        trigger="test",
        body=text_of(message, recipient),
        content_type=content_type,
        queued_at=at,
        reference=campaign["reference"],
        entity_id=campaign["entity_id"],
        application_id=campaign["application_id"],
    )
