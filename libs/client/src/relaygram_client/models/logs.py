"""What became of messages."""

from datetime import datetime
from typing import Literal

from relaygram_client.models.shape import Shape


class LogError(Shape):
    """Why a message failed."""

    code: str
    message: str


class LogRow(Shape):
    """One message to one person."""

    id: int
    campaign_id: int
    sender_id: int | None
    direction: str
    body: str | None
    status: Literal["pending", "sent", "failed"] | str
    telegram_message_id: str | None
    triggered_by_message_id: str | None
    sequence_step: int | None
    error: LogError | None
    sent_at: datetime | None
    created_at: datetime
    revision: int
    attempts: int
    read_at: datetime | None
    replied_at: datetime | None
    job_id: str


class StreamTicket(Shape):
    """Opens one live stream, as `?ticket=`."""

    ticket: str
    expires_at: datetime
