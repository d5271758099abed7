"""Campaigns."""

from datetime import datetime
from typing import Literal

from relaygram_client.models.shape import Shape

Mode = Literal["broadcast", "auto_reply"]
CampaignStatus = Literal["draft", "running", "paused", "completed", "stopped"] | str


class QuietHours(Shape):
    """When nobody is written to, as `HH:MM`."""

    start: str
    end: str


class Campaign(Shape):
    """A campaign with its counts."""

    id: int
    name: str
    mode: Mode | str
    trigger_keyword: str | None
    body: str
    status: CampaignStatus
    telegram_account_id: int
    scheduled_at: datetime | None
    started_at: datetime | None
    completed_at: datetime | None
    total_contacts: int
    sent_count: int
    failed_count: int
    status_reason: Literal["user", "content_error", "account_down"] | str | None
    next_send_at: datetime | None
    waiting_for: str | None
    pending_count: int
    read_count: int
    reply_count: int
    created_at: datetime
    updated_at: datetime
    time_zone: str | None
    quiet_hours: QuietHours | None
    reference: str | None
    entity_id: str | None
    application_id: str | None
    attachments: list[int]
    #: Why its schedule passed without a start.
    misfire: str | None
