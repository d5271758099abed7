"""The statement of a page of the log behind filters, put together of named pieces: one for each set of filters."""

from functools import cache
from typing import Any

from relaygram_api.adapters.pg_campaigns import like
from relaygram_api.adapters.pg_workspace import sql
from relaygram_api.core.log_query import MOST_COUNTED, LogQuery

_PLACE = ("since", "since_id")
_FILTERS = ("status", "sender_id", "code", "changed_since", "q")


def filtered_page(campaign_id: int, query: LogQuery, after: int | None) -> tuple[str, list[Any]]:
    """The statement, which also says the total as `total`, and its arguments. `after` is where a cursor stands."""
    given = tuple(name for name in _FILTERS if getattr(query, name) is not None)
    place = () if query.since is None and query.since_id is None else _PLACE if query.since is not None else _PLACE[1:]
    names = (*place, *given)
    statement = _statement(names, query.sort, query.order, after is not None)
    values = [like(query.q) if name == "q" and query.q is not None else getattr(query, name) for name in names]
    skipped = 0 if after is not None else (query.page - 1) * query.per_page
    return statement, [campaign_id, *values, *([] if after is None else [after]), query.per_page + 1, skipped]


@cache  # bounded: each filter is there or not
def _statement(names: tuple[str, ...], sort: str, order: str, has_cursor: bool) -> str:
    parameters = ("campaign_id", *names, *(("after",) if has_cursor else ()), "limit", "offset")
    numbers: dict[str, Any] = {name: place for place, name in enumerate(parameters, 1)}
    place = "log_place" if "since" in names else "log_place_after_id" if "since_id" in names else "log_no_place"
    pieces = [*([] if place == "log_no_place" else ["place"]), *(name for name in names if name not in _PLACE)]
    where = "".join(_piece(f"log_where_{piece}", numbers) for piece in pieces)
    cursor = (
        _piece(f"log_where_{'after' if order == 'asc' else 'before'}", {**numbers, "sort": sort}) if has_cursor else ""
    )
    return sql["log_rows"].format(
        place=_piece(place, numbers),
        total=_total(pieces, where, numbers),
        where=where + cursor,
        sort=f"{sort} {order}",
        **numbers,
    )


def _total(pieces: list[str], where: str, numbers: dict[str, Any]) -> str:
    """By counters and positions where they tell it; else it is counted."""
    known = {(): "log_total", ("status",): "log_total_of_status", ("place",): "log_total_from_place"}.get(tuple(pieces))
    return _piece(known or "log_total_counted", {**numbers, "where": where, "most": MOST_COUNTED + 1})


def _piece(name: str, values: dict[str, Any]) -> str:
    return " " + sql[name].format(**values)
