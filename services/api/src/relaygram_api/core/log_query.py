"""What a page of the log is: its filter, its order, and the cursor that goes on where it ended."""

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Final, Literal

from relaygram_api.core.cursors import CursorError, decode_cursor, listing

Order = Literal["asc", "desc"]
MOST_COUNTED: Final = 10_000


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

    @property
    def is_quick(self) -> bool:
        """Whether an index alone answers it: at most one filter, which is not for a part of the body."""
        others = (self.status, self.since, self.since_id, self.sender_id, self.changed_since, self.code)
        return self.q is None and sum(value is not None for value in others) <= 1

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

    def listing(self, campaign_id: int) -> str:
        """What cursors of this list belong to: all but the page."""
        return _listing("logs", self, campaign_id=campaign_id)

    def after(self, campaign_id: int) -> int | None:
        """Where the cursor stands. Raises LogQueryError."""
        return None if self.cursor is None else _place(self.cursor, self.listing(campaign_id))


@dataclass(frozen=True, slots=True)
class AllLogsQuery:
    """A page of the log of all campaigns, as asked for: there is a cursor and nothing else to go on with."""

    per_page: int
    order: Order
    status: str | None = None
    since: datetime | None = None
    sender_id: int | None = None
    code: str | None = None
    q: str | None = None
    cursor: str | None = None

    @property
    def listing(self) -> str:
        """What cursors of this list belong to: all but the page."""
        return _listing("all logs", self)

    def after(self) -> int | None:
        """Where the cursor stands. Raises LogQueryError."""
        return None if self.cursor is None else _place(self.cursor, self.listing)


_PAGE: Final = ("page", "per_page", "cursor")


def _listing(name: str, query: LogQuery | AllLogsQuery, **more: int) -> str:
    narrowed_to = {field.name: getattr(query, field.name) for field in fields(query) if field.name not in _PAGE}
    return listing(name, **narrowed_to, **more)


def _place(cursor: str, of: str) -> int:
    try:
        return decode_cursor(cursor, of)
    except CursorError as error:
        raise LogQueryError("cursor", str(error)) from None
