"""What a page of the log is: its filter, its order, and the cursor that goes on where it ended."""

import base64
import binascii
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

Order = Literal["asc", "desc"]
MOST_COUNTED: Final = 10_000
_MAX = 2**63 - 1


class LogQueryError(ValueError):
    """Two parameters do not go together, or one can not be used so."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field} {problem}")
        self.field = field
        self.problem = problem


@dataclass(frozen=True, slots=True)
class LogQuery:
    """A page of a campaign's log, as asked for."""

    per_page: int
    page: int
    order: Order
    status: str | None = None
    since: datetime | None = None
    since_id: int | None = None
    sender_id: int | None = None
    changed_since: int | None = None
    code: str | None = None
    q: str | None = None
    cursor: str | None = None

    @property
    def sort(self) -> str:
        """What the rows are ordered by: `revision` for the feed of changes, else `position`."""
        return "revision" if self.changed_since is not None else "position"

    @property
    def is_unfiltered(self) -> bool:
        """Whether it is all of the campaign's log: then page N is one probe by position."""
        return self.status is None and not self.has_other_filter

    @property
    def has_other_filter(self) -> bool:
        """Whether something beside `status` narrows it: then its total is counted, up to MOST_COUNTED."""
        others = (self.since, self.since_id, self.sender_id, self.changed_since, self.code, self.q)
        return any(value is not None for value in others)

    def check(self) -> None:
        """Raise LogQueryError for what can not be answered."""
        if self.changed_since is not None and self.order == "desc":
            raise LogQueryError("order", "can not be desc together with changed_since, which goes by revision")
        if self.cursor is not None and self.page != 1:
            raise LogQueryError("page", "can not be given together with cursor")
        if not self.is_unfiltered and self.page * self.per_page > MOST_COUNTED:
            raise LogQueryError(
                "page", f"with a filter goes up to row {MOST_COUNTED} only; go on with the cursor of the page before"
            )

    def after(self) -> int | None:
        """Where the cursor stands. Raises LogQueryError."""
        return None if self.cursor is None else decode_cursor(self.cursor, self.sort, self.order)


def encode_cursor(sort: str, order: str, value: int) -> str:
    """An opaque text that says after which row to go on."""
    return base64.urlsafe_b64encode(f"{sort}:{order}:{value}".encode()).decode().rstrip("=")


def decode_cursor(cursor: str, sort: str, order: str) -> int:
    """The place of a cursor that was made for the same order. Raises LogQueryError."""
    try:
        text = base64.urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4)).decode("ascii")
    except (binascii.Error, UnicodeError, ValueError):
        raise LogQueryError("cursor", "is not one of ours") from None
    made_for, _, value = text.rpartition(":")
    if not value.isascii() or not value.isdigit() or len(value) > 19 or int(value) > _MAX:
        raise LogQueryError("cursor", "is not one of ours")
    if made_for != f"{sort}:{order}":
        raise LogQueryError("cursor", "was made for another order")
    return int(value)
