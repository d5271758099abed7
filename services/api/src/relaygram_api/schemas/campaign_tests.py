"""Test sends."""

from typing import Literal

from pydantic import Field

from relaygram_api.schemas.envelopes import Shape
from relaygram_api.schemas.logs import LogError

Status = Literal[
    "queued", "sending", "retrying", "discarded", "expired", "failed", "sent", "delivered", "read", "replied"
]


class CampaignTest(Shape):
    """One message to one person, to see how a campaign looks."""

    job_id: str
    campaign_id: int
    status: Status = Field(description="Ends as `sent`, `failed` or `discarded`; a reader may take it further.")
    destination: str | None = Field(description="Handle or Telegram id; of a phone, once the person is found.")
    body: str | None = Field(description="The text as this person gets it.")
    error: LogError | None
    telegram_message_id: str | None
    sent_at: str | None
    created_at: str
