"""PEER_FLOOD: Telegram takes no more messages to people who did not write first, and does not say for how long.

closed → half-open after a rest that doubles each time → one message, the probe → accepted: open; PEER_FLOOD: closed.
"""

from dataclasses import dataclass
from typing import Literal

GateState = Literal["open", "closed", "half_open", "probing"]


@dataclass(slots=True)
class ColdGate:
    """Whether messages to people who did not write first may leave. The clock is the caller's."""

    strikes: int = 0  # PEER_FLOODs in a row
    until: float = float("-inf")
    probing: bool = False

    def state(self, now: float) -> GateState:
        """What may leave: everything, nothing, one message, nothing until its answer."""
        if now < self.until:
            return "closed"
        if not self.strikes:
            return "open"
        return "probing" if self.probing else "half_open"

    def close(self, now: float) -> bool:
        """PEER_FLOOD; whether it counts. What was on the wire together with the first one tells nothing new."""
        if self.state(now) == "closed":
            return False
        self.strikes += 1
        self.probing = False
        return True

    def note_left(self, now: float) -> bool:
        """A message left; whether it is the probe."""
        is_probe = self.state(now) == "half_open"
        self.probing = self.probing or is_probe
        return is_probe

    def probe_ended(self, *, accepted: bool) -> None:
        """Accepted: open. An outcome that says nothing about floods: the next message is a probe again."""
        self.probing = False
        if accepted:
            self.strikes = 0
