"""How long to wait before a part that died is started again."""

from dataclasses import dataclass

FIRST_SECONDS = 0.2
LONGEST_SECONDS = 5.0
HEALTHY_SECONDS = 10.0


@dataclass
class RestartDelays:
    """At once, then 0.2 s doubling to 5 s; from the beginning again after 10 s of health."""

    attempts: int = 0

    def after(self, healthy_seconds: float) -> float:
        """The wait after a life in which the part was ready for this long."""
        if healthy_seconds >= HEALTHY_SECONDS:
            self.attempts = 0
        self.attempts += 1
        if self.attempts == 1:
            return 0.0
        return min(FIRST_SECONDS * 2.0 ** min(self.attempts - 2, 16), LONGEST_SECONDS)
