"""When a lease may no longer be relied upon. Its holder must stop before anybody else may begin."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LeaseTerms:
    """How leases run in this installation."""

    ttl_seconds: int
    margin_seconds: float

    def deadline(self, clock_before_publish: float) -> float:
        """Until when a lease counts whose publication was begun then: the server starts its TTL only after that."""
        return clock_before_publish + self.ttl_seconds - self.margin_seconds

    @property
    def renew_after_seconds(self) -> float:
        """Renewed at a third, so that two renewals may fail."""
        return self.ttl_seconds / 3


def wait_before_connecting(*, seen_expired: bool, margin_seconds: float) -> float:
    """A holder that vanished may have bytes under way; one that let go, or never was, has none."""
    return margin_seconds if seen_expired else 0.0
