"""What can be set about this Telegram while it runs."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(slots=True)
class Settings:
    """The defaults are Telegram's behaviour."""

    strict_sessions: bool = True
    """Two clients that use one auth key at the same time lose it."""
    random_id_policy: str = "error"
    """`error` refuses a repeated random_id, `replay` repeats the first answer."""
    random_id_memory_seconds: float | None = None
    """How long a random_id is remembered; None is for ever."""
    file_reference_seconds: float | None = None
    """How long a file can be referred to by the same reference; None is for ever."""
    difference_limit: int | None = None
    """Who has missed more updates than this is told only that the gap is too long; None: nobody is."""
    short_messages: bool = False
    """Clients are told of texts in the short form, which does not bring the person along."""

    def as_json(self) -> dict[str, Any]:
        """All settings by name."""
        return asdict(self)
