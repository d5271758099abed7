"""What arrives for an account, in our own words, and the events that tell of it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from relaygram_common.contracts.ids import inbound_event_id
from relaygram_common.contracts.public_events import InboundMessage
from relaygram_common.contracts.receipts import Receipt


@dataclass(frozen=True, slots=True)
class UpdateState:
    """How far an account's updates are known; Telegram gives what came after it."""

    pts: int
    qts: int
    date: datetime
    seq: int


@dataclass(frozen=True, slots=True)
class Written:
    """A person's message to the account."""

    message_id: int
    from_id: int
    date: datetime
    text: str
    media: dict[str, Any] | None = None
    handle: str | None = None
    first_name: str | None = None
    access_hash: int | None = None  # None: Telegram did not send the person along


@dataclass(frozen=True, slots=True)
class ReadUpTo:
    """A person has read the account's messages up to this one."""

    chat_id: int
    message_id: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Arrivals:
    """What one batch of updates brought, and the state behind it; no state: it came another way."""

    written: tuple[Written, ...]
    reads: tuple[ReadUpTo, ...]
    state: UpdateState | None


def inbound_event(workspace_id: int, account_id: int, one: Written) -> InboundMessage:
    """The public event of a message."""
    return InboundMessage(
        event_id=inbound_event_id(account_id, one.message_id),
        workspace_id=workspace_id,
        account_id=account_id,
        message_id=one.message_id,
        from_id=one.from_id,
        from_handle=f"@{one.handle}" if one.handle else None,
        from_first_name=one.first_name,
        text=one.text,
        media=one.media,
        date=one.date,
    )


def reply_receipt(workspace_id: int, account_id: int, one: Written) -> Receipt:
    """The person has answered what was sent before."""
    return Receipt(
        workspace_id=workspace_id,
        account_id=account_id,
        chat_id=one.from_id,
        kind="reply",
        message_id=one.message_id,
        occurred_at=one.date,
    )


def read_receipt(workspace_id: int, account_id: int, one: ReadUpTo) -> Receipt:
    """The person has read what was sent."""
    return Receipt(
        workspace_id=workspace_id,
        account_id=account_id,
        chat_id=one.chat_id,
        kind="read",
        message_id=one.message_id,
        occurred_at=one.at,
    )
