"""What a call for a channel's log asks for: its filters, and the cursor that goes on where a page ended."""

import base64
import binascii
import re
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from relaygram_api.core.channel_status import GeneralStatus
from relaygram_api.core.cursors import CursorError, digest, listing

MOST_LISTED: Final = 2048  # characters of a list
_PAGE: Final = ("limit", "cursor", "use_cursor")
_BEGINNING: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_LOST_PLUS: Final = re.compile(r" [0-9]+")
_MOST_ID: Final = 2**63 - 1


class ChannelQueryError(ValueError):
    """Two parameters do not go together, or one can not be used so."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field} {problem}")
        self.field = field
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Place:
    """Where a row stands: newest first, of equal milliseconds by the message's id."""

    sent_at: datetime
    message_id: UUID


@dataclass(frozen=True, slots=True)
class ChannelQuery:
    """A page of a channel's log, as asked for. Lists are None when they are not given."""

    channel: str
    limit: int = 50
    sender: str | None = None
    destination: str | None = None
    bulk_ids: tuple[str, ...] | None = None
    message_ids: tuple[str, ...] | None = None
    general_status: GeneralStatus | None = None
    sent_since: datetime | None = None
    sent_until: datetime | None = None
    entity_id: str | None = None
    application_id: str | None = None
    references: tuple[str, ...] | None = None
    use_cursor: bool | None = None
    cursor: str | None = None

    @property
    def pages(self) -> bool:
        """Whether the answer says how to go on."""
        return bool(self.use_cursor) or self.cursor is not None

    @property
    def runs(self) -> list[int] | None:
        """The ids that bulk ids stand for; what can be none of ours is none."""
        return None if self.bulk_ids is None else [int(text) for text in self.bulk_ids if _is_id(text)]

    @property
    def jobs(self) -> list[UUID] | None:
        """The ids that message ids stand for; what can be none of ours is none."""
        if self.message_ids is None:
            return None
        return [job for job in map(_uuid, self.message_ids) if job is not None]

    @property
    def listing(self) -> str:
        """What cursors of this list belong to: all but the page."""
        narrowed_to = {field: value for field, value in asdict(self).items() if field not in _PAGE}
        return listing("channel logs", **narrowed_to)

    def after(self) -> Place | None:
        """Where the cursor stands. Raises ChannelQueryError."""
        if self.cursor is None:
            return None
        if self.use_cursor is False:
            raise ChannelQueryError("useCursor", "can not be false together with cursor")
        try:
            return _decode(self.cursor, self.listing)
        except CursorError as error:
            raise ChannelQueryError("cursor", str(error)) from None

    def cursor_after(self, place: Place) -> str:
        """The cursor that goes on behind a place."""
        milliseconds = (place.sent_at - _BEGINNING) // _MILLISECOND
        text = f"{milliseconds}.{place.message_id.hex}.{digest(self.listing)}"
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def split_list(values: list[str]) -> list[str]:
    """A list that was repeated, comma-separated, or both. Raises ValueError."""
    if sum(map(len, values)) + len(values) - 1 > MOST_LISTED:
        raise ValueError(f"should have at most {MOST_LISTED} characters")
    found = [part for part in (part.strip() for value in values for part in value.split(",")) if part]
    if not found:
        raise ValueError("should have at least one value")
    if any("\0" in part for part in found):
        raise ValueError("must not contain the character NUL")
    return list(dict.fromkeys(found))


def names_of(name: str) -> list[str]:
    """What is meant by a name: a handle with its @ or without, a phone whose + arrived as a blank."""
    if _LOST_PLUS.fullmatch(name):
        return [f"+{name[1:]}"]
    return [name] if name.startswith("@") else [name, f"@{name}"]


def _decode(cursor: str, of: str) -> Place:
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        text = base64.b64decode(padded, b"-_", validate=True).decode("ascii")
        milliseconds, message_id, made_for = text.split(".")
        if not milliseconds.removeprefix("-").isdigit():
            raise ValueError(milliseconds)
        place = Place(_BEGINNING + int(milliseconds) * _MILLISECOND, UUID(message_id))
    except (binascii.Error, UnicodeError, ValueError, OverflowError):
        raise CursorError("is not one of ours") from None
    if made_for != digest(of):
        raise CursorError("was made for other filters or another list")
    return place


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 19 and int(text) <= _MOST_ID


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
