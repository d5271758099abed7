"""Is an event what its subject says? Who may publish what is granted by subject, so a body that says otherwise could
write into somebody else's log."""

from relaygram_common.contracts.delivery import DeliveryEvent
from relaygram_log_writer.core.row import TELEGRAM

_TOKENS = ("workspace", "channel", "state", "campaign")


def objection(event: DeliveryEvent, subject: str) -> str | None:
    """Why this event makes no row; None when it may."""
    if subject != event.subject:
        return _difference(subject, event.subject)
    if event.channel != TELEGRAM and event.campaign_id is not None:
        return "only messages of telegram belong to a campaign"
    return None


def _difference(said: str, meant: str) -> str:
    tokens = said.split(".")[2:]
    if len(tokens) != len(_TOKENS):
        return "not the subject of a delivery event"
    pairs = zip(_TOKENS, tokens, meant.split(".")[2:], strict=True)
    return f"subject and body disagree: {', '.join(name for name, one, other in pairs if one != other)}"
