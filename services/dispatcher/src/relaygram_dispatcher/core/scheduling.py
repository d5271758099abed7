"""Why a draft did not start at its time, in a sentence; how long to sleep until the next one."""

_REASONS = {
    "missed": "Nothing was at work within {grace} of the scheduled time.",
    "no_contacts": "It had no contacts within {grace} of the scheduled time.",
    "import_running": "An import of contacts was not finished within {grace} of the scheduled time.",
    "unknown_tokens": "Its texts asked for columns that no import of its contacts had brought within {grace} of the"
    " scheduled time.",
}


def misfire_reason(why: str, grace_seconds: float) -> str:
    """What people read."""
    return _REASONS[why].format(grace=f"{grace_seconds:g} s")


def pause_seconds(poll_seconds: float, to_next: float | None) -> float:
    """Until the next start, at most one poll: what is scheduled meanwhile is not known yet."""
    return poll_seconds if to_next is None else min(poll_seconds, max(0.0, to_next))
