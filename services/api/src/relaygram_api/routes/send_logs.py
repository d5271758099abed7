"""The send logs: when what was sent, and to how many people or to whom."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response

from relaygram_api.adapters import pg_sends
from relaygram_api.answers import json_response
from relaygram_api.checked_route import CheckedRoute, caller_with, concerns
from relaygram_api.core.send_query import millis
from relaygram_api.errors import not_found
from relaygram_api.parts import Caller, FromParts
from relaygram_api.schemas.send_logs import SendLogAnswer, SendLogsAnswer, SendLogSearch
from relaygram_api.send_list_response import SendListResponse
from relaygram_api.things import exists

router = APIRouter(prefix="/send-logs", route_class=CheckedRoute, tags=["Send logs"])
_Reader = Annotated[Caller, caller_with("logs:read")]


@router.get("/{send_id:id}", operation_id="get_send_log", response_model=SendLogAnswer)
@concerns(exists("send_id", "send_existed", "send log"))
async def get_send_log(
    send_id: int,
    caller: _Reader,
    parts: FromParts,
    group_destinations: Annotated[
        Literal["count", "list"], Query(description="`destinations` as a number, or as a list of handles and ids.")
    ] = "count",
) -> Response:
    """One send. The list has the people whose messages are still in the log; who was erased is not in it."""
    async with parts.database.workspace(caller.workspace_id) as connection:
        send = await pg_sends.get(connection, caller.workspace_id, send_id)
    if send is None:
        raise not_found("send log")
    shown = _shown(send)
    if group_destinations == "count":
        return json_response({"ok": True, "data": {**shown, "destinations": send["accepted"]}}, 200)
    people = pg_sends.destinations(parts.database, caller.workspace_id, send)
    first: list[str] = await anext(people, [])  # so that an absent database is a 503
    return SendListResponse(shown, first, people, send_seconds=parts.settings.export_send_seconds)


@router.post("/search", operation_id="search_send_logs", response_model=SendLogsAnswer)
async def search_send_logs(search: SendLogSearch, caller: _Reader, parts: FromParts) -> Response:
    """Sends of these campaigns, begun in this time, in the order they began. `parsed` with another `skip` goes on."""
    query = search.query()
    async with parts.database.workspace(caller.workspace_id) as connection:
        total, sends = await pg_sends.search(connection, caller.workspace_id, query)
    found = [{**_shown(send), "destinations": send["accepted"]} for send in sends]
    return json_response({"ok": True, "data": {"total": total, "send_logs": found, "parsed": query.shown()}}, 200)


def _shown(send: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "_id": str(send["id"]),
        "campaign_id": str(send["campaign_id"]),
        "message": send["message"],
        "triggeredBy": send["triggered_by"],
        "startDeliveryAt": millis(send["started_at"]),
    }
