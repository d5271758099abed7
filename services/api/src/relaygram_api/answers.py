"""Envelopes and how values are written: `{"data", "meta"}`, times in UTC with `Z`."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson
from fastapi import Response
from starlette.types import Scope

from relaygram_api.errors import ApiError
from relaygram_api.surfaces import CAMPAIGN_API, Surface


def answer(data: Any, *, status: int = 200, meta: dict[str, Any] | None = None) -> Response:
    """One thing, or a list with its `meta`."""
    return json_response({"data": data, "meta": meta or {}}, status)


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


def seconds(moment: datetime | None) -> datetime | None:
    """As the seeds write times: whole seconds. For JSON; in a text use `written`."""
    return moment.replace(microsecond=0) if moment else None


def micros(moment: datetime | None) -> datetime | str | None:
    """Six digits always, so that what is sent back is what was stored. For JSON."""
    # orjson writes no digits at all when all six are zero.
    return moment if moment is None or moment.microsecond else f"{moment:%Y-%m-%dT%H:%M:%S}.000000Z"


def written(moment: datetime) -> str:
    """Whole seconds, in a text."""
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def json_response(content: Any, status: int, headers: Mapping[str, str] | None = None) -> Response:
    """Any JSON."""
    # Times are UTC, as PostgreSQL's driver gives them, and written with `Z`.
    body = orjson.dumps(content, option=orjson.OPT_UTC_Z)
    return Response(body, status, dict(headers or {}), media_type="application/json")


def error_response(error: ApiError, scope: Scope) -> Response:
    """An error in the shape of the surface that was called; outside of all, in that of the campaign API."""
    surface: Surface = scope["state"]["surface"] or CAMPAIGN_API
    status, content = surface.error(error, scope["state"]["request_id"])
    return json_response(content, status, error.headers)
