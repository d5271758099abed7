"""The states of a message and a campaign, as docs/states.md draws them and the SQL functions hold them."""

from enum import StrEnum
from typing import Final, Literal


class MessageState(StrEnum):
    """What became of one message. The order of arrival of events does not matter: the highest rank wins."""

    QUEUED = "queued"  # a job exists; the gateway moves it on
    SENDING = "sending"  # a further attempt is on the wire
    RETRYING = "retrying"  # an attempt failed on the network; the same message will be tried again
    DEFERRED = "deferred"  # met quiet hours on its way; changes no state
    DISCARDED = "discarded"  # will not be sent, by decision: stopped, suppressed, gone
    EXPIRED = "expired"  # will not be sent: too late
    FAILED = "failed"  # Telegram refused it, finally
    SENT = "sent"  # Telegram accepted it
    DELIVERED = "delivered"
    READ = "read"
    REPLIED = "replied"


# `deferred` has no rank: it never becomes the state of a row.
RANKS: Final[dict[MessageState, int]] = {
    MessageState.QUEUED: 0,
    MessageState.SENDING: 1,
    MessageState.RETRYING: 1,
    MessageState.DISCARDED: 2,
    MessageState.EXPIRED: 2,
    MessageState.FAILED: 3,
    MessageState.SENT: 4,
    MessageState.DELIVERED: 5,
    MessageState.READ: 6,
    MessageState.REPLIED: 7,
}

LogStatus = Literal["pending", "failed", "sent"]


def log_status(rank: int) -> LogStatus:
    """The three words of the logs endpoint."""
    if rank < RANKS[MessageState.DISCARDED]:
        return "pending"
    return "failed" if rank < RANKS[MessageState.SENT] else "sent"


CampaignStatus = Literal["draft", "running", "paused", "completed", "stopped"]
CampaignAction = Literal["start", "pause", "stop", "complete", "account_down", "account_up", "content_error"]

# (status, action) → next status; what is missing is refused. The same table is control.campaign_transitions.
CAMPAIGN_TRANSITIONS: Final[dict[tuple[str, str], str]] = {
    ("draft", "start"): "running",
    ("running", "start"): "running",
    ("paused", "start"): "running",
    ("running", "pause"): "paused",
    ("paused", "pause"): "paused",
    ("draft", "stop"): "stopped",
    ("running", "stop"): "stopped",
    ("paused", "stop"): "stopped",
    ("stopped", "stop"): "stopped",
    ("running", "complete"): "completed",
    ("running", "account_down"): "paused",
    ("running", "content_error"): "paused",
    ("paused", "account_up"): "running",
}

AccountStatus = Literal["new", "code_required", "password_required", "active", "backing_off", "disabled", "logged_out"]
