"""What a page of the log is: its filter, its order, and the cursor that goes on where it ended."""

from dataclasses import dataclass, fields
from datetime import datetime
from operator import attrgetter
from typing import Any, Final, Literal, NamedTuple

from relaygram_api.core.cursors import CursorError, decode_cursor, decode_numbers, encode_cursor

Order = Literal["asc", "desc"]
MOST_COUNTED: Final = 10_000
_FILTERS: Final = ("status", "sender_id", "code", "changed_since", "q")
# Behind these the total is told by counters and positions.
_TOLD: Final = {(), ("status",), ("code",), ("place",)}


class LogQueryError(ValueError):
    """Two parameters do not go together, or one can not be used so."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field} {problem}")
        self.field = field
        self.problem = problem


class Counted(NamedTuple):
    """A total that was counted, at most one more than MOST_COUNTED, and the log's version at that time."""

    total: int
    begin: int
    revision: int


@dataclass(frozen=True, slots=True)
class Bookmark:
    """Where a page ended, and what it found that the next one need not look for again."""

    after: int
    place: int | None = None  # the first row after `since` and `since_id`
    counted: Counted | None = None


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
    def narrowed_by(self) -> tuple[str, ...]:
        """The filters that are given; `since` and `since_id` are one place to begin at."""
        place = ("place",) if self.since is not None or self.since_id is not None else ()
        return place + tuple(name for name in _FILTERS if getattr(self, name) is not None)

    @property
    def is_total_counted(self) -> bool:
        """Whether the total may have to be counted row by row."""
        return self.narrowed_by not in _TOLD

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
        return repr(("logs", campaign_id, _NARROWED(self)))

    def cursor_at(self, campaign_id: int, bookmark: Bookmark) -> str:
        """The cursor that goes on there."""
        more = (bookmark.place, *(bookmark.counted or ())) if bookmark.place or bookmark.counted else ()
        return encode_cursor(self.listing(campaign_id), bookmark.after, *more)

    def bookmark(self, campaign_id: int) -> Bookmark | None:
        """Where the cursor stands, if there is one. Raises LogQueryError."""
        if self.cursor is None:
            return None
        try:
            after, more = decode_numbers(self.cursor, self.listing(campaign_id))
        except CursorError as error:
            raise LogQueryError("cursor", str(error)) from None
        match more:
            case ():
                return Bookmark(after)
            case (int(place),):
                return Bookmark(after, place)
            case (place, int(total), int(begin), int(revision)):
                return Bookmark(after, place, Counted(total, begin, revision))
        raise LogQueryError("cursor", "is not one of ours")


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
        return repr(("all logs", _NARROWED_ALL(self)))

    def after(self) -> int | None:
        """Where the cursor stands. Raises LogQueryError."""
        try:
            return None if self.cursor is None else decode_cursor(self.cursor, self.listing)
        except CursorError as error:
            raise LogQueryError("cursor", str(error)) from None


def _narrowed(query: type[LogQuery] | type[AllLogsQuery]) -> Any:
    return attrgetter(*(field.name for field in fields(query) if field.name not in ("page", "per_page", "cursor")))


_NARROWED: Final = _narrowed(LogQuery)
_NARROWED_ALL: Final = _narrowed(AllLogsQuery)
