"""Lists as CSV files: who wants one, and how rows become lines that no spreadsheet runs as formulas."""

import csv
import io
from collections.abc import AsyncIterable, Iterable
from typing import Any, Final

from fastapi import Request
from fastapi.responses import StreamingResponse

from relaygram_api.core.spreadsheets import harmless

# For the OpenAPI document: a list that may be asked for as a file.
ALSO_CSV: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "content": {"text/csv": {"schema": {"type": "string"}}},
        "description": "A page, or with `Accept: text/csv` all of them.",
    }
}


def wants_csv(request: Request) -> bool:
    """Whether `Accept` names text/csv, and no JSON before it."""
    accepted = [part.partition(";")[0].strip().lower() for part in request.headers.get("accept", "").split(",")]
    named = [kind for kind in accepted if kind in ("text/csv", "application/json")]
    return named[:1] == ["text/csv"]


def csv_lines(rows: Iterable[Iterable[object]]) -> str:
    """Lines, in which texts are defused."""
    buffer = io.StringIO()
    csv.writer(buffer).writerows(
        [harmless(cell) if isinstance(cell, str) else "" if cell is None else cell for cell in row] for row in rows
    )
    return buffer.getvalue()


def csv_file(lines: AsyncIterable[str], *, name: str) -> StreamingResponse:
    """The answer that is saved under this name."""
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Vary": "Accept"}
    return StreamingResponse(lines, media_type="text/csv", headers=headers)
