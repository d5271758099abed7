"""The log of a campaign as it grows: Server-Sent Events, and tickets with which browsers open them."""

from typing import Annotated

from fastapi import APIRouter, Header, Query, Request, Response

from relaygram_api.adapters import pg_log_streams, pg_tickets
from relaygram_api.answers import written
from relaygram_api.change import changing
from relaygram_api.checked_route import PREFIX, CheckedRoute, caller_with, concerns
from relaygram_api.errors import not_found
from relaygram_api.fields import QueryText, Revision
from relaygram_api.parts import Caller, FromParts
from relaygram_api.schemas.envelopes import One
from relaygram_api.schemas.logs import StreamTicket
from relaygram_api.stream_response import StreamResponse
from relaygram_api.things import exists

router = APIRouter(prefix=PREFIX + "/campaigns/{campaign_id:id}/logs", route_class=CheckedRoute, tags=["Logs"])
_TICKET_SECONDS = 60
Reader = Annotated[Caller, caller_with("logs:read")]


@router.get(
    "/stream",
    operation_id="stream_logs",
    response_class=Response,
    responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
)
@concerns(exists("campaign_id", "campaign_existed", "campaign"))
async def stream_logs(
    campaign_id: int,
    request: Request,
    caller: Reader,
    parts: FromParts,
    last_event_id: Annotated[
        Revision | None,
        Header(alias="Last-Event-ID", description="Go on after this `id`; comes before `changed_since`."),
    ] = None,
    changed_since: Annotated[
        Revision | None, Query(description="Begin after this `revision`; 0 is everything. Without, it begins now.")
    ] = None,
    ticket: Annotated[  # noqa: ARG001 - the gate reads it
        QueryText | None, Query(description="Instead of the `Authorization` header: opens one stream, once.")
    ] = None,
) -> Response:
    """Each row as it is made and each time it changes, as Server-Sent Events.

    `data` is the row, `id` its `revision`. Whoever comes back with the last `id` gets all that is newer; a row that has
    changed twice meanwhile comes once, as it is. A client that does not read is cut off, and may come back likewise.
    """
    async with parts.database.reading(caller.workspace_id) as reading:
        newest = await pg_log_streams.begin(reading, campaign_id)
    if newest is None:
        raise not_found("campaign")
    given = changed_since if last_event_id is None else last_event_id
    return StreamResponse(
        parts.streams,
        parts.settings,
        caller,
        campaign_id,
        after=newest if given is None else given,
        headers=_cross_origin(request, parts.settings.allowed_origins),
    )


@router.post("/stream-ticket", status_code=201, operation_id="create_stream_ticket", response_model=One[StreamTicket])
async def create_stream_ticket(campaign_id: int, caller: Reader, parts: FromParts) -> Response:
    """Make a ticket for a browser, whose `EventSource` can not send the token.

    With `?ticket=` it opens this campaign's stream as this token, once and within a minute.
    """
    async with changing(parts, caller) as change:
        if await pg_log_streams.begin(change.connection, campaign_id) is None:
            raise not_found("campaign")
        ticket, expires_at = await pg_tickets.create(
            change.connection, caller, campaign_id, valid_seconds=_TICKET_SECONDS
        )
        return change.answer({"ticket": ticket, "expires_at": written(expires_at)}, status=201)


def _cross_origin(request: Request, allowed: frozenset[str]) -> dict[str, str]:
    """Lets pages of these origins read the answer."""
    origin = request.headers.get("origin", "")
    if not allowed:
        return {}
    return {"Vary": "Origin", **({"Access-Control-Allow-Origin": origin} if origin.lower() in allowed else {})}
