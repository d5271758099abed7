"""The log of a channel, of the last 48 hours: for screens that show what was sent."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import AfterValidator, Field, StringConstraints
from starlette.convertors import StringConvertor, register_url_convertor

from relaygram_api.adapters import pg_channel_logs
from relaygram_api.answers import json_response
from relaygram_api.channel_log_view import shown_channel_row
from relaygram_api.checked_route import CheckedRoute, caller_with
from relaygram_api.core.channel_query import MOST_LISTED, ChannelQuery, ChannelQueryError, split_list
from relaygram_api.core.channel_status import GeneralStatus
from relaygram_api.errors import invalid
from relaygram_api.fields import Digits, Moment, QueryText
from relaygram_api.parts import Caller, FromParts
from relaygram_api.schemas.channel_logs import ChannelLog
from relaygram_api.surfaces import CHANNEL


class _ChannelConvertor(StringConvertor):
    """A channel's name, as events have it; whatever else stands there is an unknown route."""

    regex = CHANNEL


register_url_convertor("channel", _ChannelConvertor())
router = APIRouter(route_class=CheckedRoute, tags=["Channel logs"])
_Text = Annotated[QueryText, StringConstraints(min_length=1)]
_List = Annotated[list[str], AfterValidator(split_list)]
_Limit = Annotated[int, Digits, Field(ge=1, le=1000)]
_A_MESSAGE = "0e5b1c1e-2f6a-5c64-9d3a-6b3f4f3d9a10"
_A_DAY = ("2020-02-22T17:42:05.390+01:00", "2020-02-23T17:42:05.390+01:00")
_ENTITY, _APPLICATION = "promotional-traffic-entity", "marketing-automation-application"
_MANY = f"Repeated or comma-separated; at most {MOST_LISTED:,} characters in all."


def _asked(name: str, description: str, *examples: Any) -> Any:
    """A parameter, by the name that callers give it."""
    return Query(alias=name, description=description, examples=list(examples) or None)


async def _query(
    request: Request,
    sender: Annotated[_Text | None, _asked("sender", "The account's handle or Telegram id.")] = None,
    destination: Annotated[_Text | None, _asked("destination", "The person's handle or Telegram id.")] = None,
    bulk_id: Annotated[_List | None, _asked("bulkId", f"Campaign runs. {_MANY}", ["12"])] = None,
    message_id: Annotated[_List | None, _asked("messageId", f"Messages. {_MANY}", [_A_MESSAGE])] = None,
    general_status: Annotated[
        GeneralStatus | None, _asked("generalStatus", "Only messages whose status is of this group.")
    ] = None,
    sent_since: Annotated[Moment | None, _asked("sentSince", "Only messages made after this.", _A_DAY[0])] = None,
    sent_until: Annotated[Moment | None, _asked("sentUntil", "Only messages made before this.", _A_DAY[1])] = None,
    limit: Annotated[_Limit, _asked("limit", "How many messages at most.")] = 50,
    entity_id: Annotated[_Text | None, _asked("entityId", "The campaign's `entity_id`.", _ENTITY)] = None,
    application_id: Annotated[
        _Text | None, _asked("applicationId", "The campaign's `application_id`.", _APPLICATION)
    ] = None,
    references: Annotated[
        _List | None, _asked("campaignReferenceId", f"The campaigns' `reference`s. {_MANY}", ["summersale"])
    ] = None,
    use_cursor: Annotated[bool | None, _asked("useCursor", "Whether the answer says how to go on.")] = None,
    cursor: Annotated[_Text | None, _asked("cursor", "`cursor.nextCursor` of the page before.")] = None,
) -> ChannelQuery:
    return ChannelQuery(
        channel=request.url.path.split("/")[1],
        limit=limit,
        sender=sender,
        destination=destination,
        bulk_ids=_tuple(bulk_id),
        message_ids=_tuple(message_id),
        general_status=general_status,
        sent_since=sent_since,
        sent_until=sent_until,
        entity_id=entity_id,
        application_id=application_id,
        references=_tuple(references),
        use_cursor=use_cursor,
        cursor=cursor,
    )


def _tuple(values: list[str] | None) -> tuple[str, ...] | None:
    return None if values is None else tuple(values)


_Caller = Annotated[Caller, caller_with("logs:read")]
_Asked = Annotated[ChannelQuery, Depends(_query)]


@router.get("/telegram/1/logs", operation_id="list_telegram_logs", response_model=ChannelLog)
async def list_telegram_logs(caller: _Caller, parts: FromParts, query: _Asked) -> Response:
    """What Telegram accounts sent in the last 48 hours, newest first."""
    return await _answer(caller, parts, query)


@router.get("/messenger/1/logs", operation_id="list_messenger_logs", response_model=ChannelLog)
async def list_messenger_logs(caller: _Caller, parts: FromParts, query: _Asked) -> Response:
    """What was sent by Messenger in the last 48 hours, newest first, as its gateway reported it."""
    return await _answer(caller, parts, query)


@router.get("/instagram/1/logs", operation_id="list_instagram_logs", response_model=ChannelLog)
async def list_instagram_logs(caller: _Caller, parts: FromParts, query: _Asked) -> Response:
    """What was sent by Instagram in the last 48 hours, newest first, as its gateway reported it."""
    return await _answer(caller, parts, query)


@router.get("/{channel:channel}/1/logs", include_in_schema=False)
async def list_channel_logs(caller: _Caller, parts: FromParts, query: _Asked) -> Response:
    """The same of any channel that reports its messages; one that does not has none."""
    return await _answer(caller, parts, query)


async def _answer(caller: Caller, parts: FromParts, query: ChannelQuery) -> Response:
    try:
        page = await pg_channel_logs.read(parts.database, caller.workspace_id, query, further_looks=parts.further_looks)
    except ChannelQueryError as error:
        raise invalid({error.field: [error.problem]}) from None
    answer = {"results": [shown_channel_row(row) for row in page.rows]}
    if not query.pages:
        return json_response(answer, 200)
    following = None if page.goes_on is None else query.cursor_after(page.goes_on)
    return json_response({**answer, "cursor": {"limit": query.limit, "nextCursor": following}}, 200)
