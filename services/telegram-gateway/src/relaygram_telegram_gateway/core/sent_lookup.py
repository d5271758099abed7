"""Was this message sent already? Telegram never tells a `random_id`: found by chat, text and time."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """A message of a chat's history; `date` in seconds since 1970."""

    id: int
    outgoing: bool
    text: str
    date: float
    media_id: int | None = None  # of its photo or document


def same_text(ours: str, theirs: str) -> bool:
    """Telegram trims what it is given."""
    return ours.strip() == theirs.strip()


def find_sent(
    messages: Iterable[ChatMessage],
    text: str,
    *,
    not_before: float,
    taken: Collection[int],
    media: Collection[int] | None = None,
) -> int | None:
    """The id of the oldest message that can be ours: outgoing, same text and file, not older, and no other job's.

    `media`: every id that its file had at Telegram; None for a message without one.
    """
    found = [
        message.id
        for message in messages
        if message.outgoing
        and message.date >= int(not_before)  # Telegram's dates are whole seconds
        and message.id not in taken
        and same_text(text, message.text)
        and (message.media_id is None if media is None else message.media_id in media)
    ]
    return min(found, default=None)


def reaches_back(messages: Collection[ChatMessage], *, not_before: float) -> bool:
    """Whether this page of history (newest first) goes back far enough to judge."""
    return not messages or min(message.date for message in messages) < int(not_before)
