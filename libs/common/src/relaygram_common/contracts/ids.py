"""Deterministic ids: the same decision always has the same id, so that doing it twice is doing it once."""

from uuid import UUID, uuid5

_JOBS = UUID("6f2b8c1e-7c5a-5d0e-9a41-3e7b52f0c9d4")
_INBOUND = UUID("c7f0d6b2-3a1e-5f57-8d24-90b1e6a45c38")


def job_id(
    kind: str,
    campaign_id: int,
    contact_id: int,
    step: int = 0,
    follow_up: int | None = None,
    trigger: int | str | None = None,
) -> UUID:
    """The id of one message to one person. `trigger` is the inbound message answered, or a test send's request id."""
    return uuid5(_JOBS, f"{kind}/{campaign_id}/{contact_id}/{step}/{follow_up}/{trigger}")


def event_id(job: UUID, state: str, attempt: int) -> UUID:
    """The id of one delivery event, stable over redeliveries and replays."""
    return uuid5(job, f"{state}/{attempt}")


def inbound_event_id(account_id: int, message_id: int) -> UUID:
    """The id of what a person wrote to an account: the same, however often the message is fetched."""
    return uuid5(_INBOUND, f"{account_id}/{message_id}")
