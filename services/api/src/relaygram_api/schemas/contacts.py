"""Imports and the people of a campaign."""

from typing import Literal

from pydantic import Field

from relaygram_api.schemas.envelopes import Shape


class Import(Shape):
    """How far an import is."""

    id: int
    campaign_id: int
    status: Literal["queued", "running", "completed", "failed"]
    received: int
    accepted: int
    duplicates: int
    rejected: int
    message: str | None = Field(description="Why it failed.")
    created_at: str
    finished_at: str | None


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
    status: Literal["pending", "sent", "replied", "failed"]
    last_message_at: str | None
    last_reply_at: str | None
    tags: list[str]
