"""What became of messages."""

from typing import Literal

from relaygram_api.schemas.envelopes import Cursor, Shape


class LogError(Shape):
    """Why a message failed."""

    code: str
    message: str


class LogRow(Shape):
    """One message to one person."""

    id: int
    campaign_id: int
    sender_id: int | None
    direction: Literal["outbound"]
    body: str | None
    status: Literal["pending", "sent", "failed"]
    telegram_message_id: str | None
    triggered_by_message_id: str | None
    sequence_step: int | None
    error: LogError | None
    sent_at: str | None
    created_at: str
    revision: int
    attempts: int
    read_at: str | None
    replied_at: str | None
    job_id: str


class LogFeedMeta(Shape):
    """Beside a page of the feed: nobody counts all campaigns' rows, so there is no total."""

    cursor: Cursor


class LogFeed(Shape):
    """A page of the log of all campaigns. It may hold fewer rows than asked for, even none, while `next` goes on."""

    data: list[LogRow]
    meta: LogFeedMeta


class StreamTicket(Shape):
    """Opens one live stream of the log of one campaign."""

    ticket: str
    expires_at: str
