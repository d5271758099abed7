"""The statement of a page of the log behind filters, put together of named pieces: one for each set of filters."""

from functools import lru_cache
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
    # Beyond the first page, which has no cursor.
    skipped = [(query.page - 1) * query.per_page] if query.page > 1 else []
    further = tuple(name for name, is_there in (("after", after is not None), ("offset", bool(skipped))) if is_there)
    last = query.page * query.per_page + 1
    most = 1 << last.bit_length() if skipped else last
    statement = _statement(names, further, f"{query.sort} {query.order}", query.per_page + 1, most)
    values = [like(query.q) if name == "q" and query.q is not None else getattr(query, name) for name in names]
    return statement, [campaign_id, *values, *([] if after is None else [after]), *skipped]


@lru_cache(1000)
def _statement(names: tuple[str, ...], further: tuple[str, ...], sort: str, limit: int, most: int) -> str:
    numbers: dict[str, Any] = {name: place for place, name in enumerate(("campaign_id", *names, *further), 1)}
    place = "log_place" if "since" in names else "log_place_after_id" if "since_id" in names else None
    pieces = [*(["place"] if place else []), *(name for name in names if name not in _PLACE)]
    where = "".join(_piece(f"log_where_{piece}", numbers) for piece in pieces)
    column, _, order = sort.partition(" ")
    cursor = "log_where_after" if order == "asc" else "log_where_before"
    bound = _piece(cursor, {**numbers, "sort": column}) if "after" in further else ""
    rows = sql["log_rows"].format(
        place=_piece(place, numbers) + " " if place else "",
        total=_total(pieces, where, numbers),
        source=_piece("log_source_sender_id" if "sender_id" in names else "log_source", numbers),
        where=where + bound,
        sort=sort,
        limit=most,
    )
    return rows if "offset" not in further else _piece("log_further_page", {**numbers, "rows": rows, "limit": limit})


def _total(pieces: list[str], where: str, numbers: dict[str, Any]) -> str:
    """By counters and positions where they tell it; else it is counted."""
    known = {(): "log_total", ("status",): "log_total_of_status", ("place",): "log_total_from_place"}.get(tuple(pieces))
    return _piece(known or "log_total_counted", {**numbers, "where": where, "most": MOST_COUNTED + 1})


def _piece(name: str, values: dict[str, Any]) -> str:
    return " " + sql[name].format(**values)
