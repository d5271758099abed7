"""The statement of a page of the log, put together of named pieces: one for each set of filters."""

from functools import lru_cache
from typing import Any, Final

from relaygram_api.adapters.pg_campaigns import like
from relaygram_api.adapters.pg_workspace import sql
from relaygram_api.core.log_query import MOST_COUNTED, Bookmark, LogQuery

# By which piece the total behind a set of filters is told; behind any other one it is counted.
_TOTALS: Final = {
    (): "log_total",
    ("status",): "log_total_of_status",
    ("code",): "log_total_of_code",
    ("place",): "log_total_from_place",
    ("changed_since",): "log_total_of_changes",
}
_CHANGES: Final = ("changed_since",)

# Without filters, by order: $1 the campaign, $2 how many rows to skip, $3 how many to read.
PLAIN_PAGES: Final = {
    order: sql["log_page"].format(place="", total=sql["log_total"], shown_place="", rows=sql[f"log_rows_at_{order}"])
    for order in ("asc", "desc")
}


def filtered_page(campaign_id: int, query: LogQuery, bookmark: Bookmark | None) -> tuple[str, list[Any]]:
    """The statement and its arguments. `bookmark` is where a cursor stands."""
    values = _values(query, bookmark)
    known = _known(query, bookmark, values)
    last = query.page * query.per_page + 1
    if bookmark is not None:
        values["after"] = bookmark.after
    if query.page > 1:  # which has no cursor
        values["offset"] = (query.page - 1) * query.per_page
    most = 1 << last.bit_length() if query.page > 1 else last
    statement = _page(query.narrowed_by, tuple(values), f"{query.sort} {query.order}", query.per_page + 1, most, known)
    return statement, [campaign_id, *values.values()]


def _values(query: LogQuery, bookmark: Bookmark | None) -> dict[str, Any]:
    """What the filters are given, by the names of the pieces."""
    values: dict[str, Any] = {}
    for name in query.narrowed_by:
        if name != "place":
            values[name] = like(query.q) if name == "q" and query.q is not None else getattr(query, name)
        elif bookmark is not None and bookmark.place is not None:
            values["place"] = bookmark.place
        else:
            values |= (
                {"since_id": query.since_id}
                if query.since is None
                else {"since": query.since, "since_id": query.since_id}
            )
    return values


def _known(query: LogQuery, bookmark: Bookmark | None, values: dict[str, Any]) -> str | None:
    """By which piece the total may be the one of the page before; what that needs is added to the values."""
    if bookmark is None or bookmark.counted is None:
        return None
    total, begin, revision = bookmark.counted
    values["known_begin"] = begin
    if query.narrowed_by == _CHANGES and total > MOST_COUNTED:
        return "log_total_still"
    values |= {"known_total": total, "known_revision": revision}
    return "log_total_known"


@lru_cache(1000)
def _page(
    narrowed_by: tuple[str, ...], values: tuple[str, ...], sort: str, limit: int, most: int, known: str | None
) -> str:
    numbers: dict[str, Any] = {name: number for number, name in enumerate(("campaign_id", *values), 1)}
    column, _, order = sort.partition(" ")
    cursor = "log_where_after" if order == "asc" else "log_where_before"
    bound = _piece(cursor, {**numbers, "sort": column}) if "after" in values else ""
    rows = sql["log_rows"].format(
        source=_piece("log_source_sender_id" if "sender_id" in narrowed_by else "log_source", numbers),
        where=_where(narrowed_by, numbers) + bound,
        sort=sort,
        limit=most,
    )
    return sql["log_page"].format(
        place=_place(values, numbers),
        total=_total(narrowed_by, numbers, known),
        shown_place=_piece("log_shown_place", {}) if "place" in narrowed_by else "",
        rows=_piece("log_further_rows", {**numbers, "rows": rows, "limit": limit}) if "offset" in values else rows,
    )


def _total(narrowed_by: tuple[str, ...], numbers: dict[str, Any], known: str | None) -> str:
    """By counters and positions where they tell it; else it is counted, unless it is known."""
    told = {**numbers, "where": _where(narrowed_by, numbers), "most": MOST_COUNTED + 1}
    total = _piece(_TOTALS.get(narrowed_by, "log_total_counted"), told)
    return total if known is None else _piece(known, {**told, "total": total})


def _where(narrowed_by: tuple[str, ...], numbers: dict[str, Any]) -> str:
    return "".join(_piece(f"log_where_{name}", numbers) for name in narrowed_by)


def _place(values: tuple[str, ...], numbers: dict[str, Any]) -> str:
    pieces = {"place": "log_place_known", "since": "log_place", "since_id": "log_place_after_id"}
    piece = next((piece for name, piece in pieces.items() if name in values), None)
    return "" if piece is None else _piece(piece, numbers)


def _piece(name: str, values: dict[str, Any]) -> str:
    return " " + sql[name].format(**values)
