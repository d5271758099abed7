"""Contacts of a campaign: importing them, and listing them as senders."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response

from relaygram_api.adapters import pg_people, pg_senders
from relaygram_api.answers import page_answer, seconds
from relaygram_api.change import changing
from relaygram_api.checked_route import PREFIX, CheckedRoute, caller_with, concerns, media_type, takes
from relaygram_api.core.cursors import CursorError, decode_cursor, encode_cursor
from relaygram_api.errors import invalid, not_found
from relaygram_api.fields import Page, PerPage, QueryText, offset_of
from relaygram_api.parts import Caller, FromParts, Parts
from relaygram_api.schemas.contacts import Import, Sender
from relaygram_api.schemas.envelopes import Many, One
from relaygram_api.things import exists
from relaygram_api.upload import demand_campaign, receive_csv, store

router = APIRouter(prefix=PREFIX + "/campaigns/{campaign_id:id}", route_class=CheckedRoute, tags=["Contacts"])
_CAP = 100
_MOST_JSON_CONTACTS = 10_000

_UPLOAD_BODY = {
    "requestBody": {
        "required": True,
        "description": "JSON, or a CSV file: a header with any of `telegram_user_id`, `handle`, `phone`, then "
        "`first_name`, `last_name`, `tags` (separated by `|`), `time_zone` and columns of your own; `,` or `;`; UTF-8.",
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["contacts"],
                    "additionalProperties": False,
                    "properties": {
                        "contacts": {
                            "type": "array",
                            "minItems": 1,
                            "maxItems": _MOST_JSON_CONTACTS,
                            "items": {"type": "object"},
                        }
                    },
                },
                "example": {"contacts": [{"handle": "@jane_doe", "first_name": "Jane", "tags": ["vip"]}]},
            },
            "text/csv": {"schema": {"type": "string"}, "example": "handle,first_name,tags\n@jane_doe,Jane,vip\n"},
        },
    }
}


@router.post(
    "/contacts",
    status_code=202,
    operation_id="import_contacts",
    response_model=One[Import],
    responses={409: {}},
    openapi_extra=_UPLOAD_BODY,
)
@takes("application/json", "text/csv")
async def import_contacts(
    campaign_id: int,
    request: Request,
    caller: Annotated[Caller, caller_with("campaigns:write")],
    parts: FromParts,
) -> Response:
    """Add people. The work is done in the background: `GET /imports/{id}` tells how far it is."""
    await demand_campaign(parts, caller, campaign_id)
    if media_type(request) == "text/csv":
        begun = await receive_csv(request, parts, caller, campaign_id)
    else:
        begun = await _import_json(request, parts, caller, campaign_id)
    parts.wake_imports()
    return begun


async def _import_json(request: Request, parts: Parts, caller: Caller, campaign_id: int) -> Response:
    parsed = await request.json()
    if not isinstance(parsed, dict):
        raise invalid({"body": ["must be a JSON object"]})
    problems = {name: ["is not a known field"] for name in parsed if name != "contacts"}
    contacts = parsed.get("contacts")
    if not isinstance(contacts, list) or not 1 <= len(contacts) <= _MOST_JSON_CONTACTS:
        problems["contacts"] = [f"should be a list of 1 to {_MOST_JSON_CONTACTS} people"]
    if problems:
        raise invalid(problems)
    return await store(parts, caller, campaign_id, await request.body())


@router.delete("/contacts/{sender_id:id}", status_code=204, operation_id="remove_contact", response_model=None)
async def remove_contact(
    campaign_id: int,
    sender_id: int,
    caller: Annotated[Caller, caller_with("campaigns:write")],
    parts: FromParts,
) -> Response:
    """Take a person out. What is queued for them is not sent and ends as failed (`GONE`); the log stays as it is."""
    async with changing(parts, caller) as change:
        await pg_senders.demand_campaign(change.connection, campaign_id)
        if not await pg_people.remove_contact(change.connection, parts.sealer, campaign_id, sender_id):
            raise not_found("contact")
        return change.nothing()


@router.get("/senders", operation_id="list_senders", response_model=Many[Sender])
@concerns(exists("campaign_id", "campaign_exists", "campaign"))
async def list_senders(
    campaign_id: int,
    caller: Annotated[Caller, caller_with("senders:read")],
    parts: FromParts,
    page: Annotated[Page, Query()] = 1,
    per_page: Annotated[PerPage, Query(description=f"Cut to {_CAP}.")] = 25,
    status: Annotated[Literal["pending", "sent", "replied", "failed"] | None, Query()] = None,
    q: Annotated[QueryText | None, Query(description="Part of the first name, last name or handle.")] = None,
    cursor: Annotated[QueryText | None, Query(description="`meta.cursor.next` of the page before.")] = None,
) -> Response:
    """The people of a campaign, in the order they were added."""
    per_page = min(per_page, _CAP)
    wanted = pg_senders.Filter(campaign_id, status, q)
    async with parts.database.workspace(caller.workspace_id) as connection:
        await pg_senders.demand_campaign(connection, campaign_id)
        after = _place(cursor, wanted, page)
        try:
            found = await pg_senders.page(
                connection, wanted, limit=per_page, offset=offset_of(page, per_page), after=after
            )
        except pg_senders.TooDeepError:
            problem = f"with a filter goes up to row {pg_senders.MOST_COUNTED} only; go on with the cursor"
            raise invalid({"page": [problem]}) from None
    capped = {} if wanted.is_empty else {"total_is_capped": found.is_capped}
    following = None if found.last is None else encode_cursor(wanted.listing, found.last)
    rows = [_shown(row) for row in found.rows]
    return page_answer(rows, page=page, per_page=per_page, total=found.total, cursor={"next": following}, **capped)


def _place(cursor: str | None, wanted: pg_senders.Filter, page: int) -> int | None:
    if cursor is None:
        return None
    if page != 1:
        raise invalid({"page": ["can not be given together with cursor"]})
    try:
        return decode_cursor(cursor, wanted.listing)
    except CursorError as error:
        raise invalid({"cursor": [str(error)]}) from None


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": row["id"],
        "campaign_id": row["campaign_id"],
        "telegram_user_id": row["telegram_user_id"],
        "handle": f"@{row['handle']}" if row["handle"] else None,
        "first_name": row["first_name"],
        "last_name": row["last_name"],
        "status": row["status"],
        "last_message_at": seconds(row["last_message_at"]),
        "last_reply_at": seconds(row["last_reply_at"]),
        "tags": row["tags"],
    }
