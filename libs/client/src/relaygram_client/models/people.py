"""People who must not be written to, and people who are forgotten."""

from datetime import datetime

from relaygram_client.models.contacts import ImportedLineError
from relaygram_client.models.shape import Shape


class Suppression(Shape):
    """A person whom no campaign of the workspace writes to."""

    id: int
    telegram_user_id: int | None
    handle: str | None
    #: Its last digits.
    phone: str | None
    erased: bool
    reason: str
    created_at: datetime


class Suppressed(Shape):
    """What became of people who were to be put on the list."""

    received: int
    added: int
    already_listed: int
    rejected: int
    errors: list[ImportedLineError]


class Erasure(Shape):
    """From how many places a person was taken."""

    contacts: int
    messages: int
    ledger_entries: int
    peers: int
    suppressions: int
    import_errors: int
    #: By this day what was published before is gone from all streams.
    streams_forget_by: str
