"""How far an import is, and every line that it could not take."""

from collections.abc import AsyncIterator
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response

from relaygram_api.adapters import pg_imports
from relaygram_api.answers import answer, page_answer
from relaygram_api.checked_route import PREFIX, CheckedRoute, caller_with, concerns
from relaygram_api.csv_output import csv_file, csv_lines, wants_csv
from relaygram_api.errors import not_found
from relaygram_api.fields import Page, PerPage, offset_of
from relaygram_api.import_view import shown_import
from relaygram_api.parts import Caller, FromParts, Parts
from relaygram_api.schemas.contacts import Import, ImportedLineError
from relaygram_api.schemas.envelopes import Many, One
from relaygram_api.things import exists

router = APIRouter(prefix=f"{PREFIX}/imports", route_class=CheckedRoute, tags=["Contacts"])
_CAP = 1000
_BATCH = 2000
Reader = Annotated[Caller, caller_with("campaigns:read")]


@router.get("/{import_id:id}", operation_id="get_import", response_model=One[Import])
async def get_import(import_id: int, caller: Reader, parts: FromParts) -> Response:
    """One import. When it is completed, received = accepted + duplicates + rejected."""
    async with parts.database.workspace(caller.workspace_id) as connection:
        row = await pg_imports.get(connection, import_id)
    if row is None:
        raise not_found("import")
    return answer(shown_import(row))


@router.get(
    "/{import_id:id}/errors",
    operation_id="list_import_errors",
    response_model=Many[ImportedLineError],
    responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}}}},
)
@concerns(exists("import_id", "import_exists", "import"))
async def list_import_errors(
    import_id: int,
    request: Request,
    caller: Reader,
    parts: FromParts,
    output: Annotated[
        Literal["json", "csv"] | None,
        Query(alias="format", description="`csv`, as `Accept: text/csv`, gives all errors in one file."),
    ] = None,
    page: Annotated[Page, Query()] = 1,
    per_page: Annotated[PerPage, Query(description=f"Cut to {_CAP}.")] = 100,
) -> Response:
    """Why lines were rejected: the line's number in the file, the column, its value and the reason."""
    per_page = min(per_page, _CAP)
    as_csv = wants_csv(request) if output is None else output == "csv"
    async with parts.database.workspace(caller.workspace_id) as connection:
        if await pg_imports.get(connection, import_id) is None:
            raise not_found("import")
        if not as_csv:
            total = await pg_imports.count_errors(connection, import_id)
            rows = await pg_imports.error_page(connection, import_id, limit=per_page, offset=offset_of(page, per_page))
            return page_answer(rows, page=page, per_page=per_page, total=total)
    return csv_file(_as_csv(parts, caller, import_id), name=f"import-{import_id}-errors.csv")


async def _as_csv(parts: Parts, caller: Caller, import_id: int) -> AsyncIterator[str]:
    yield csv_lines([["line", "column", "value", "reason"]])
    line, column = 0, ""
    while True:
        # A transaction for each piece: a client may take its time.
        async with parts.database.workspace(caller.workspace_id) as connection:
            rows = await pg_imports.errors_after(connection, import_id, line, column, limit=_BATCH)
        if rows:
            yield csv_lines([row["line"], row["column"], row["value"], row["reason"]] for row in rows)
            line, column = rows[-1]["line"], rows[-1]["column"]
        if len(rows) < _BATCH:
            return
