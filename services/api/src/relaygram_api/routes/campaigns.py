"""Campaigns: making, reading, changing, deleting. Their life is in lifecycle.py."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from pydantic import Field, StrictStr, StringConstraints

from relaygram_api.adapters import pg_campaigns, pg_media, pg_steps
from relaygram_api.adapters.pg_workspace import Connection
from relaygram_api.answers import answer, page_answer
from relaygram_api.campaign_view import shown_campaign
from relaygram_api.change import changing
from relaygram_api.checked_route import PREFIX, CheckedRoute, caller_with, concerns
from relaygram_api.core.campaign_rules import campaign_problems, update_conflict
from relaygram_api.core.cursors import encode_cursor
from relaygram_api.core.message_texts import asked_columns, known_columns
from relaygram_api.core.messages import sent_texts
from relaygram_api.errors import conflict, invalid, not_found
from relaygram_api.fields import Body, Id, Moment, Name, Page, PerPage, QueryText, ShortText, offset_of
from relaygram_api.paging import place_of
from relaygram_api.parts import Caller, FromParts, Parts
from relaygram_api.preconditions import ETAG, Expected, IfMatch, Known, tagged
from relaygram_api.schemas.campaigns import Campaign
from relaygram_api.schemas.envelopes import Many, One
from relaygram_api.shared_reads import FromReading
from relaygram_api.things import exists, now

router = APIRouter(prefix=f"{PREFIX}/campaigns", route_class=CheckedRoute, tags=["Campaigns"])
_CAP = 100
_about_a_campaign = exists("campaign_id", "campaign_exists", "campaign")

MAY_CONFLICT: dict[int | str, dict[str, Any]] = {200: ETAG, 409: {}, 412: {}}

Reader = Annotated[Caller, caller_with("campaigns:read")]
Writer = Annotated[Caller, caller_with("campaigns:write")]
Mode = Literal["broadcast", "auto_reply"]
Status = Literal["draft", "running", "paused", "completed", "stopped"]
# Its bound is Telegram's, in UTF-16 units; this one only keeps the check cheap.
Template = Annotated[StrictStr, StringConstraints(max_length=8192)]


# Telegram sends one photo or file with a text.
Attachments = Annotated[list[Id], Field(max_length=1)]


class QuietHours(Body):
    """When nobody is written to, in the contact's time zone, else the campaign's."""

    start: StrictStr
    end: StrictStr


class _CampaignFields(Body):
    trigger_keyword: ShortText | None = None
    scheduled_at: Moment | None = None
    time_zone: ShortText | None = None
    quiet_hours: QuietHours | None = None
    reference: ShortText | None = None
    entity_id: ShortText | None = None
    application_id: ShortText | None = None
    attachments: Attachments = Field(default_factory=list)


class CampaignCreate(_CampaignFields):
    """A draft. A broadcast writes to its contacts; an auto_reply answers who writes its keyword."""

    name: Name
    mode: Mode
    telegram_account_id: Id
    body: Template


class CampaignChange(_CampaignFields):
    """Only the fields given change."""

    # Defaults that nobody sees: what was not given is not looked at.
    name: Name = Field(default_factory=str)
    mode: Mode = Field(default_factory=lambda: "broadcast")
    telegram_account_id: Id = Field(default_factory=int)
    body: Template = Field(default_factory=str)


@router.get("", operation_id="list_campaigns", response_model=Many[Campaign])
async def list_campaigns(
    caller: Reader,
    parts: FromParts,
    reading: FromReading,
    page: Annotated[Page, Query()] = 1,
    per_page: Annotated[PerPage, Query(description=f"Cut to {_CAP}.")] = 25,
    status: Annotated[Status | None, Query()] = None,
    mode: Annotated[Mode | None, Query()] = None,
    q: Annotated[QueryText | None, Query(description="Part of the name.")] = None,
    cursor: Annotated[QueryText | None, Query(description="`meta.cursor.next` of the page before.")] = None,
) -> Response:
    """The campaigns of the workspace, newest first."""
    per_page, wanted = min(per_page, _CAP), pg_campaigns.Filter(status, mode, q)
    before = place_of(cursor, wanted.listing, page)
    offset = offset_of(page, per_page)

    async def read() -> Response:
        async with parts.database.reading(caller.workspace_id) as connection:
            # One row more than is shown tells whether there is a next page.
            rows, total = await pg_campaigns.page(connection, wanted, before=before, limit=per_page + 1, offset=offset)
        return reading.put_together((rows, total), lambda: put_together(rows, total))

    def put_together(rows: Sequence[Mapping[str, Any]], total: int) -> Response:
        shown = [shown_campaign(row) for row in rows[:per_page]]
        following = encode_cursor(wanted.listing, shown[-1]["id"]) if len(rows) > per_page else None
        return page_answer(shown, page=page, per_page=per_page, total=total, cursor={"next": following})

    return await reading.answer(read)


@router.post("", status_code=201, operation_id="create_campaign", response_model=One[Campaign], responses={201: ETAG})
async def create_campaign(body: CampaignCreate, caller: Writer, parts: FromParts) -> Response:
    """Make a draft."""
    campaign = {**body.model_dump(), "asks_for": asked_columns([body.body])}
    async with changing(parts, caller) as change:
        connection = change.connection
        await _demand_valid(connection, parts, campaign, body.model_fields_set)
        campaign_id = await pg_campaigns.create(connection, caller.workspace_id, campaign)
        row = await demand(connection, campaign_id)
        return tagged(change.answer(shown_campaign(row), status=201), row["version"])


@router.get(
    "/{campaign_id:id}",
    operation_id="get_campaign",
    response_model=One[Campaign],
    responses={200: ETAG, 304: {"description": "It would be the answer whose `ETag` is in `If-None-Match`.", **ETAG}},
)
async def get_campaign(
    campaign_id: int, caller: Reader, parts: FromParts, known: Known, reading: FromReading
) -> Response:
    """One campaign. The `ETag` is exact: counts that moved on make another; for `If-Match` only changes count."""

    async def read() -> Response:
        async with parts.database.reading(caller.workspace_id) as connection:
            row = await demand(connection, campaign_id)
        return reading.put_together(row, lambda: tagged(answer(shown_campaign(row)), row["version"]))

    return known.answer(await reading.answer(read))


@router.put("/{campaign_id:id}", operation_id="update_campaign", response_model=One[Campaign], responses=MAY_CONFLICT)
@concerns(_about_a_campaign)
async def update_campaign(
    campaign_id: int, body: CampaignChange, caller: Writer, parts: FromParts, expected: Expected
) -> Response:
    """Change the fields given; a running campaign's next message has the new text."""
    async with changing(parts, caller) as change:
        connection = change.connection
        old = await lock_as_expected(connection, campaign_id, expected)
        given = body.model_fields_set
        new = {**old, **body.model_dump(exclude_unset=True)}
        if new["mode"] == "broadcast" and "trigger_keyword" not in given:
            new["trigger_keyword"] = None  # whatever it was as an auto_reply
        steps = await pg_steps.of_campaign(connection, campaign_id)
        new["asks_for"] = asked_columns(sent_texts(new, steps))
        await _demand_valid(connection, parts, new, given, old=old, has_steps=bool(steps))
        if problem := update_conflict(old["status"], old, new):
            raise conflict("not_changeable", problem)
        if new != old:
            await pg_campaigns.update(connection, campaign_id, new)
        row = await demand(connection, campaign_id)
        return tagged(change.answer(shown_campaign(row)), row["version"])


router.add_api_route(
    "/{campaign_id:id}",
    update_campaign,
    methods=["PATCH"],
    operation_id="patch_campaign",
    response_model=One[Campaign],
    responses=MAY_CONFLICT,
    name="patch_campaign",
)


@router.delete("/{campaign_id:id}", status_code=204, operation_id="delete_campaign", responses={412: {}})
async def delete_campaign(campaign_id: int, caller: Writer, parts: FromParts, expected: Expected) -> Response:
    """Take it out of every list; sends on the wire complete, and its log stays readable by id."""
    async with changing(parts, caller) as change:
        await lock_as_expected(change.connection, campaign_id, expected)
        await pg_campaigns.delete(change.connection, caller.workspace_id, campaign_id, caller.actor)
        return change.nothing()


async def _demand_valid(
    connection: Connection,
    parts: Parts,
    new: dict[str, Any],
    given: set[str],
    *,
    old: dict[str, Any] | None = None,
    has_steps: bool = False,
) -> None:
    problems = campaign_problems(
        new,
        given,
        time_zones=parts.time_zones,
        now=now(),
        columns=known_columns(old) if old else None,
        old_scheduled_at=old["scheduled_at"] if old else None,
    )
    account_id = new["telegram_account_id"]
    if (old is None or account_id != old["telegram_account_id"]) and not await pg_campaigns.account_exists(
        connection, account_id
    ):
        problems["telegram_account_id"] = ["is not a Telegram account of this workspace"]
    if "attachments" in given and not await pg_media.existing(connection, new["attachments"]) >= {*new["attachments"]}:
        problems["attachments"] = ["is not media of this workspace"]
    if has_steps and new["mode"] != "broadcast":
        problems["mode"] = ["must stay broadcast while the campaign has steps"]
    if problems:
        raise invalid(problems)


async def demand(connection: Connection, campaign_id: int) -> dict[str, Any]:
    """The campaign with its counters, or 404."""
    row = await pg_campaigns.get(connection, campaign_id)
    if row is None:
        raise not_found("campaign")
    return row


async def lock_as_expected(connection: Connection, campaign_id: int, expected: IfMatch) -> dict[str, Any]:
    """What a change rests on, held until the transaction ends; 404, or 412 when it was changed meanwhile."""
    row = await pg_campaigns.lock(connection, campaign_id)
    if row is None:
        raise not_found("campaign")
    expected.demand(row["version"])
    return row
