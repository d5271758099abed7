"""Telegram accounts."""

from datetime import datetime
from typing import Literal

from relaygram_client.models.shape import Shape

AccountStatus = (
    Literal["new", "code_required", "password_required", "active", "backing_off", "disabled", "logged_out"] | str
)


class Limits(Shape):
    """How fast an account may write; None is no limit."""

    messages_per_second: int | None
    messages_per_hour: int | None
    messages_per_day: int | None
    warm_up: bool
    resolves_per_minute: int | None


class TelegramAccount(Shape):
    """An account that sends."""

    id: int
    name: str | None
    kind: Literal["user", "bot"] | str
    telegram_user_id: int | None
    handle: str | None
    status: AccountStatus
    status_reason: str | None
    backing_off_until: datetime | None
    limits: Limits
    gateway: str | None
    sent_last_hour: int
    sent_today: int
