"""Statistics of a campaign."""

from datetime import datetime

from relaygram_client.models.shape import Shape


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
    #: The most frequent first.
    codes: list[CodeCount]
    sent_last_minute: int
    #: If it goes on as in the last minute; None for a sequence, no running broadcast, or when nothing moves.
    estimated_end_at: datetime | None
    #: The last sixty minutes, the present one last.
    sent_per_minute: list[MinuteCount]
