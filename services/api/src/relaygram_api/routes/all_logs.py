"""The log of all campaigns."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response

from relaygram_api.adapters import pg_logs
from relaygram_api.answers import answer
from relaygram_api.checked_route import PREFIX, CheckedRoute, caller_with
from relaygram_api.core.cursors import encode_cursor
from relaygram_api.core.log_query import AllLogsQuery, LogQueryError
from relaygram_api.errors import invalid
from relaygram_api.fields import Moment, PerPage, QueryId, QueryText
from relaygram_api.log_view import shown_row
from relaygram_api.parts import Caller, FromParts
from relaygram_api.schemas.logs import LogFeed

router = APIRouter(prefix=PREFIX, route_class=CheckedRoute, tags=["Logs"])
_CAP = 200
_OF_ONE_CAMPAIGN = ("page", "since_id", "changed_since")


@router.get("/logs", operation_id="list_all_logs", response_model=LogFeed)
async def list_all_logs(
    request: Request,
    caller: Annotated[Caller, caller_with("logs:read")],
    parts: FromParts,
    per_page: Annotated[PerPage, Query(description=f"Cut to {_CAP}.")] = 25,
    status: Annotated[Literal["sent", "failed", "pending"] | None, Query()] = None,
    since: Annotated[Moment | None, Query(description="Only rows made strictly after this.")] = None,
    sender_id: Annotated[QueryId | None, Query(description="Only this contact's rows.")] = None,
    order: Annotated[Literal["asc", "desc"], Query(description="By time.")] = "asc",
    cursor: Annotated[QueryText | None, Query(description="`meta.cursor.next` of the page before.")] = None,
    code: Annotated[QueryText | None, Query(description="Only rows with this error code.")] = None,
    q: Annotated[QueryText | None, Query(description="Part of the body.")] = None,
) -> Response:
    """Every message of every campaign, also of deleted ones, in the order they were made; page by cursor only.

    A page may hold fewer rows than asked for, even none, when few fit: it is the last when `next` is null. The cursor
    of the last page but one, asked again with `order=asc`, gives the last page and what has come since.
    """
    if problems := {name: [_ELSEWHERE] for name in _OF_ONE_CAMPAIGN if name in request.query_params}:
        raise invalid(problems)
    query = AllLogsQuery(min(per_page, _CAP), order, status, since, sender_id, code, q, cursor)
    try:
        async with parts.database.workspace(caller.workspace_id) as connection:
            rows, last = await pg_logs.read_all(connection, caller.workspace_id, query)
    except LogQueryError as error:
        raise invalid({error.field: [error.problem]}) from None
    following = None if last is None else encode_cursor(query.listing, last)
    return answer([shown_row(row) for row in rows], meta={"cursor": {"next": following}})


_ELSEWHERE = "is for the log of one campaign; here go on with cursor"
