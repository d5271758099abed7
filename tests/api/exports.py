"""Exports of the log as tests read them."""

import csv
import io
import json
from typing import Any

import httpx

from tests.api.support import Api

PER_PAGE = 200


async def export(api: Api, campaign_id: int, output: str, *, answered: int = 200, **wanted: Any) -> httpx.Response:
    """The answer, which must have this status."""
    answer = await api.client.get(
        f"/api/v1/campaigns/{campaign_id}/logs/export", params={"format": output, **wanted}, timeout=60
    )
    assert answer.status_code == answered, answer.text[:2000]
    return answer


async def exported(api: Api, campaign_id: int, **wanted: Any) -> list[dict[str, Any]]:
    """The rows, as JSON has them."""
    answer = await export(api, campaign_id, "ndjson", **wanted)
    return [json.loads(line) for line in answer.text.split("\n")[:-1]]


async def shown(api: Api, campaign_id: int, **wanted: Any) -> list[dict[str, Any]]:
    """The same rows, as the logs endpoint shows them on all its pages."""
    rows: list[dict[str, Any]] = []
    cursor: dict[str, Any] = {}
    while True:
        page = await api.call(
            "GET", f"/campaigns/{campaign_id}/logs", params={"per_page": PER_PAGE, **wanted, **cursor}
        )
        rows += page["data"]
        if (following := page["meta"]["cursor"]["next"]) is None:
            return rows
        cursor = {"cursor": following}


def csv_rows(text: str) -> list[dict[str, str]]:
    """The rows of a CSV file, which must be rectangular."""
    header, *rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    return [dict(zip(header, row, strict=True)) for row in rows]
