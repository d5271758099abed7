"""Telegram accounts."""

from typing import Literal

from pydantic import Field

from relaygram_api.schemas.envelopes import Shape
from relaygram_common.contracts.states import AccountStatus


class Limits(Shape):
    """How fast an account may write; null is no limit."""

    messages_per_second: int | None
    messages_per_hour: int | None
    messages_per_day: int | None
    warm_up: bool
    resolves_per_minute: int | None


class TelegramAccount(Shape):
    """An account that sends."""

    id: int
    name: str | None
    kind: Literal["user", "bot"]
    telegram_user_id: int | None
    handle: str | None
    status: AccountStatus
    status_reason: str | None
    backing_off_until: str | None
    limits: Limits
    gateway: str | None = Field(description="The gateway that runs it.")
    sent_last_hour: int
    sent_today: int
