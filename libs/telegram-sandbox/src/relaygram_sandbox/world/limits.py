"""What this Telegram tolerates. Off by default; beyond a limit it answers as Telegram does."""

import math
from dataclasses import asdict, dataclass
from typing import Any

_DAY_SECONDS = 86_400.0
FLOOD_WAIT_SECONDS = 1


@dataclass(slots=True)
class Limits:
    """None switches a limit off."""

    messages_per_second: int | None = None
    """By one account, in any sliding second; beyond it FLOOD_WAIT."""
    per_chat_seconds: float | None = None
    """Between two messages of an account to the same person; sooner it is FLOOD_WAIT."""
    new_account_hourly: int | None = None
    """Messages an hour to people who never wrote, in an account's first day of sending; beyond it PEER_FLOOD."""

    def as_json(self) -> dict[str, Any]:
        """All limits by name."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Attempt:
    """What a limit needs to know of a message that is about to be accepted."""

    at: float
    sent_in_last_second: int
    flood_until: float
    strangers_in_last_hour: int
    first_sent_at: float | None
    last_sent_to_peer_at: float | None
    peer_has_written: bool


def is_too_fast(limits: Limits, attempt: Attempt) -> bool:
    """Whether this message is one too many for the second."""
    return limits.messages_per_second is not None and attempt.sent_in_last_second >= limits.messages_per_second


def refusal(limits: Limits, attempt: Attempt) -> str | None:
    """The name of the error that Telegram answers, or None when the message is within all limits."""
    if limits.messages_per_second is not None and attempt.at < attempt.flood_until:
        # Who does not wait as told is told again.
        return f"FLOOD_WAIT_{math.ceil(attempt.flood_until - attempt.at)}"
    if is_too_fast(limits, attempt):
        return f"FLOOD_WAIT_{FLOOD_WAIT_SECONDS}"
    if limits.per_chat_seconds is not None and attempt.last_sent_to_peer_at is not None:
        rest = attempt.last_sent_to_peer_at + limits.per_chat_seconds - attempt.at
        if rest > 0:
            return f"FLOOD_WAIT_{math.ceil(rest)}"
    is_new = attempt.first_sent_at is None or attempt.at - attempt.first_sent_at < _DAY_SECONDS
    if (
        limits.new_account_hourly is not None
        and is_new
        and not attempt.peer_has_written
        and attempt.strangers_in_last_hour >= limits.new_account_hourly
    ):
        return "PEER_FLOOD"
    return None
