"""Campaigns."""

from typing import Literal

from relaygram_api.schemas.envelopes import Shape
from relaygram_common.contracts.states import CampaignStatus


class QuietHoursShown(Shape):
    """When nobody is written to."""

    start: str
    end: str


class Campaign(Shape):
    """A campaign with its counts."""

    id: int
    name: str
    mode: Literal["broadcast", "auto_reply"]
    trigger_keyword: str | None
    body: str
    status: CampaignStatus
    telegram_account_id: int
    scheduled_at: str | None
    started_at: str | None
    completed_at: str | None
    total_contacts: int
    sent_count: int
    failed_count: int
    status_reason: Literal["user", "content_error", "account_down"] | None
    next_send_at: str | None
    waiting_for: str | None
    pending_count: int
    read_count: int
    reply_count: int
    created_at: str
    updated_at: str
    time_zone: str | None
    quiet_hours: QuietHoursShown | None
    reference: str | None
    entity_id: str | None
    application_id: str | None
    attachments: list[int]
    misfire: str | None
