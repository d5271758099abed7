"""What a campaign's text is for one person: shown, or sent once as a test."""

from datetime import datetime
from typing import Literal

from relaygram_client.models.logs import LogError
from relaygram_client.models.shape import Shape

MessageState = (
    Literal[
        "queued",
        "sending",
        "retrying",
        "deferred",
        "discarded",
        "expired",
        "failed",
        "sent",
        "delivered",
        "read",
        "replied",
    ]
    | str
)


class PreviewedFor(Shape):
    """The person; further columns are in `model_extra`."""

    first_name: str | None
    last_name: str | None
    handle: str | None


class Preview(Shape):
    """The text as one person gets it."""

    text: str
    #: As Telegram counts: UTF-16 units, so an emoji is two.
    characters: int
    #: How many Telegram takes.
    limit: int
    tokens_without_value: list[str]
    #: Why this text could not be sent to this person.
    problem: str | None
    sender_id: int | None
    contact: PreviewedFor
    #: Which text of the campaign it is, from 0.
    step: int
    #: Which of the step's follow-ups; None: the step itself.
    follow_up: int | None
    attachments: list[int]


class CampaignTest(Shape):
    """A test send, and what became of it: `status` ends as `sent`, `failed` or `discarded`."""

    job_id: str
    campaign_id: int
    status: MessageState
    destination: str | None
    body: str | None
    error: LogError | None
    telegram_message_id: str | None
    sent_at: datetime | None
    created_at: datetime
