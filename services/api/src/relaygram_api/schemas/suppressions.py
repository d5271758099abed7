"""Who must not be written to."""

from pydantic import Field

from relaygram_api.schemas.contacts import ImportedLineError
from relaygram_api.schemas.envelopes import Shape


class Suppression(Shape):
    """A line of the list. Of an erased person nothing but the line itself is known."""

    id: int
    telegram_user_id: int | None
    handle: str | None
    phone: str | None = Field(description="Its last digits.")
    erased: bool
    reason: str
    created_at: str


class Suppressed(Shape):
    """What became of the people given."""

    received: int
    added: int
    already_listed: int
    rejected: int
    errors: list[ImportedLineError] = Field(description="`line` in the file; in JSON the number of the person, from 1.")
