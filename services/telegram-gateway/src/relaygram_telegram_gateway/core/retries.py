"""How often and after which pause a message is tried again."""

from relaygram_common.backoff import backoff_seconds

MAX_NETWORK_RETRIES = 3
_FIRST_SECONDS = 1.0
_CAP_SECONDS = 60.0


def network_retry(failures: int, *, jitter: float, first_seconds: float = _FIRST_SECONDS) -> float | None:
    """Seconds until the try after the `failures`-th failure on the network; None: that was the last one."""
    if failures > MAX_NETWORK_RETRIES:
        return None
    return backoff_seconds(failures, first=first_seconds, cap=_CAP_SECONDS, jitter=jitter)


def peer_flood_rest(strikes: int, *, first_seconds: float = 3600.0, cap_seconds: float = 24 * 3600.0) -> float:
    """How long the account rests after the `strikes`-th PEER_FLOOD in a row (1 = the first)."""
    return min(cap_seconds, first_seconds * 2.0 ** min(max(strikes, 1) - 1, 20))
