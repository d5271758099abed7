"""Envelopes and how values are written: `{"data", "meta"}`, times in UTC with `Z`."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
from fastapi import Response


def answer(data: Any, *, status: int = 200, meta: dict[str, Any] | None = None) -> Response:
    """One thing, or a list with its `meta`."""
    return Response(orjson.dumps({"data": data, "meta": meta or {}}), status, media_type="application/json")


def page_answer(rows: Sequence[Any], *, page: int, per_page: int, total: int, **more: Any) -> Response:
    """A page of a list; `more` goes beside `pagination` or, when it begins with `total_`, into it."""
    pagination = {
        "current_page": page,
        "per_page": per_page,
        "total": total,
        "last_page": max(1, -(-total // per_page)),
    }
    meta: dict[str, Any] = {"pagination": pagination}
    for key, value in more.items():
        (pagination if key.startswith("total_") else meta)[key] = value
    return answer(rows, meta=meta)


def seconds(moment: datetime | None) -> str | None:
    """As the seeds write times: whole seconds."""
    return _written(moment, "seconds") if moment else None


def micros(moment: datetime | None) -> str | None:
    """Six digits always, so that what is sent back is what was stored."""
    return _written(moment, "microseconds") if moment else None


def _written(moment: datetime, precision: str) -> str:
    # Several times as fast as strftime, of which a page of a log would need a hundred.
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec=precision) + "Z"


def json_response(content: Any, status: int, headers: Mapping[str, str] | None = None) -> Response:
    """Any JSON."""
    return Response(orjson.dumps(content), status, dict(headers or {}), media_type="application/json")
