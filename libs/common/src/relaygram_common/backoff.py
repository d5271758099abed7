"""How long to wait before trying again: exponential, capped, with jitter that the caller draws."""


def backoff_seconds(attempt: int, *, first: float, cap: float, jitter: float) -> float:
    """Delay before try `attempt` (1 = the first repetition). `jitter` in [0, 1) takes up to half of it away."""
    return min(cap, first * 2.0 ** min(attempt - 1, 30)) * (1.0 - jitter / 2.0)
