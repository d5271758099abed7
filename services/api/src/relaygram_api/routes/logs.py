"""The log of a campaign."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Response

from relaygram_api.adapters import pg_logs
from relaygram_api.adapters.pg_logs import LogPage
from relaygram_api.answers import page_answer
from relaygram_api.checked_route import PREFIX, CheckedRoute, caller_with, concerns
from relaygram_api.core.log_query import LogQuery, LogQueryError
from relaygram_api.errors import invalid, not_found
from relaygram_api.fields import Moment, Page, PerPage, QueryId, QueryText
from relaygram_api.log_view import shown_row
from relaygram_api.parts import Caller, FromParts
from relaygram_api.schemas.envelopes import Many
from relaygram_api.schemas.logs import LogRow
from relaygram_api.shared_reads import FromReading
from relaygram_api.things import exists
from relaygram_common.contracts.delivery import MAX_ID

router = APIRouter(prefix=PREFIX + "/campaigns/{campaign_id:id}", route_class=CheckedRoute, tags=["Logs"])
_CAP = 200


async def _query(
    per_page: Annotated[PerPage, Query(description=f"Cut to {_CAP}.")] = 25,
    page: Annotated[Page, Query(description="From 1. With a filter up to row 10,000; beyond, use `cursor`.")] = 1,
    status: Annotated[Literal["sent", "failed", "pending"] | None, Query()] = None,
    since: Annotated[Moment | None, Query(description="Only rows made strictly after this.")] = None,
    since_id: Annotated[int | None, Query(ge=0, le=MAX_ID, description="Only rows with a greater `id`.")] = None,
    sender_id: Annotated[QueryId | None, Query(description="Only this contact's rows.")] = None,
    order: Annotated[Literal["asc", "desc"], Query(description="By time; polling needs `asc`.")] = "asc",
    changed_since: Annotated[
        int | None, Query(ge=0, le=MAX_ID, description="Only rows with a greater `revision`, ordered by it.")
    ] = None,
    cursor: Annotated[QueryText | None, Query(description="`meta.cursor.next` of the page before.")] = None,
    code: Annotated[QueryText | None, Query(description="Only rows with this error code.")] = None,
    q: Annotated[QueryText | None, Query(description="Part of the body.")] = None,
) -> LogQuery:
    return LogQuery(
        per_page=min(per_page, _CAP),
        page=page,
        order=order,
        status=status,
        since=since,
        since_id=since_id,
        sender_id=sender_id,
        changed_since=changed_since,
        code=code,
        q=q,
        cursor=cursor,
    )


@router.get("/logs", operation_id="list_logs", response_model=Many[LogRow])
@concerns(exists("campaign_id", "campaign_existed", "campaign"))
async def list_logs(
    campaign_id: int,
    caller: Annotated[Caller, caller_with("logs:read")],
    parts: FromParts,
    query: Annotated[LogQuery, Depends(_query)],
    reading: FromReading,
) -> Response:
    """Every message of the campaign, in the order they were made; also of a deleted campaign."""
    # Several filters together may take their time.
    opened = parts.database.reading if query.is_quick else parts.database.workspace

    async def read() -> Response:
        try:
            async with opened(caller.workspace_id) as connection:
                if reading.is_steady:
                    same = reading.kept_of(await pg_logs.version(connection, campaign_id))
                    if same is not None:
                        return same
                found = await pg_logs.read(connection, campaign_id, query)
        except LogQueryError as error:
            raise invalid({error.field: [error.problem]}) from None
        if found is None:
            raise not_found("campaign")
        return reading.keep(found.version, lambda: put_together(found))

    def put_together(found: LogPage) -> Response:
        capped = {"total_is_capped": found.is_capped} if query.has_other_filter else {}
        following = None if found.next is None else query.cursor_at(campaign_id, found.next)
        return page_answer(
            [shown_row(row) for row in found.rows],
            page=query.page,
            per_page=query.per_page,
            total=found.total,
            cursor={"next": following},
            **capped,
        )

    return await reading.answer(read)
