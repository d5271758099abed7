"""Imports and the people of a campaign."""

from datetime import datetime
from typing import Literal

from relaygram_client.models.shape import Shape


class Import(Shape):
    """How far an import is; when completed, received = accepted + duplicates + rejected."""

    id: int
    campaign_id: int
    status: Literal["queued", "running", "completed", "failed"] | str
    received: int
    accepted: int
    duplicates: int
    rejected: int
    message: str | None
    created_at: datetime
    finished_at: datetime | None


class ImportedLineError(Shape):
    """Why a line was rejected; `column` is empty when it is about the whole line."""

    line: int
    column: str
    value: str | None
    reason: str


class Sender(Shape):
    """A contact of a campaign."""

    id: int
    campaign_id: int
    telegram_user_id: int | None
    handle: str | None
    first_name: str | None
    last_name: str | None
    status: Literal["pending", "sent", "replied", "failed"] | str
    last_message_at: datetime | None
    last_reply_at: datetime | None
    tags: list[str]
