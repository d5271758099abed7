"""Statistics of a campaign."""

from pydantic import Field

from relaygram_api.schemas.envelopes import Shape


class Counts(Shape):
    """People and messages by status."""

    total_contacts: int
    pending: int
    sent: int
    failed: int
    read: int
    replied: int


class CodeCount(Shape):
    """How many messages failed so."""

    code: str
    count: int


class MinuteCount(Shape):
    """How many messages were sent in a minute."""

    minute: str
    sent: int


class CampaignStats(Shape):
    """How a campaign goes."""

    campaign_id: int
    counts: Counts
    codes: list[CodeCount] = Field(description="Failed messages by code, the most frequent first.")
    sent_last_minute: int
    estimated_end_at: str | None = Field(
        description="If it goes on as in the last minute; null for a sequence, for what is no running broadcast, and "
        "when nothing moves."
    )
    sent_per_minute: list[MinuteCount] = Field(description="The last sixty minutes, the present one last.")
