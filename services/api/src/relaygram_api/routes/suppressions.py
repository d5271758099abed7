"""Who must not be written to, why, and since when."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from relaygram_api.adapters import pg_suppressions
from relaygram_api.adapters.pg_suppressions import Wanted
from relaygram_api.answers import page_answer, seconds, written
from relaygram_api.change import changing
from relaygram_api.checked_route import PREFIX, CheckedRoute, caller_with, media_type, takes
from relaygram_api.core.contact_file import FileError
from relaygram_api.core.cursors import CursorError, decode_cursor, encode_cursor, listing
from relaygram_api.core.record_checks import LineError
from relaygram_api.core.suppression_rows import (
    COLUMNS,
    MOST_PEOPLE,
    Listed,
    check_listed,
    csv_listed,
    json_listed,
    sorted_out,
)
from relaygram_api.csv_output import ALSO_CSV, csv_file, csv_lines, wants_csv
from relaygram_api.errors import forbidden, invalid, not_found
from relaygram_api.fields import Page, PerPage, QueryText, offset_of
from relaygram_api.parts import Caller, FromParts, Parts
from relaygram_api.schemas.envelopes import Many, One
from relaygram_api.schemas.suppressions import Suppressed, Suppression
from relaygram_common.security.tokens import allows

router = APIRouter(prefix=f"{PREFIX}/suppressions", route_class=CheckedRoute, tags=["Suppressions"])
_CAP = 100
_BATCH = 2000
_AT_ONCE = 1000
Writer = Annotated[Caller, caller_with("campaigns:write")]
_PERSON: dict[str, Any] = {
    "telegram_user_id": {"type": ["integer", "string", "null"]},
    "handle": {"type": ["string", "null"]},
    "phone": {"type": ["string", "null"]},
    "reason": {"type": ["string", "null"], "maxLength": 255},
}
_BODY = {
    "requestBody": {
        "required": True,
        "description": f"One person, `people` (up to {MOST_PEOPLE}), or a CSV file with any of the columns "
        f"`{', '.join(COLUMNS)}`.",
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "additionalProperties": False,
                    "properties": {
                        **_PERSON,
                        "people": {
                            "type": "array",
                            "minItems": 1,
                            "maxItems": MOST_PEOPLE,
                            "items": {"type": "object", "properties": _PERSON},
                        },
                    },
                },
                "example": {"handle": "@jane_doe", "reason": "asked us to stop"},
            },
            "text/csv": {"schema": {"type": "string"}, "example": "handle,reason\n@jane_doe,asked us to stop\n"},
        },
    }
}


@router.get("", operation_id="list_suppressions", response_model=Many[Suppression], responses=ALSO_CSV)
async def list_suppressions(
    request: Request,
    caller: Annotated[Caller, caller_with("senders:read")],
    parts: FromParts,
    page: Annotated[Page, Query()] = 1,
    per_page: Annotated[PerPage, Query(description=f"Cut to {_CAP}.")] = 25,
    q: Annotated[QueryText | None, Query(description="Part of a handle or reason, or a whole id or phone.")] = None,
    cursor: Annotated[QueryText | None, Query(description="`meta.cursor.next` of the page before.")] = None,
) -> Response:
    """People whom no campaign of the workspace writes to, in the order they were added."""
    wanted = Wanted.by(q, parts.sealer)
    if wants_csv(request):
        return csv_file(_as_csv(parts, caller, wanted), name="suppressions.csv")
    per_page = min(per_page, _CAP)
    list_id = listing("suppressions", workspace=caller.workspace_id, q=q)
    after = _place(cursor, list_id, page)
    async with parts.database.workspace(caller.workspace_id) as connection:
        total = await pg_suppressions.count(connection, caller.workspace_id, wanted)
        rows = await pg_suppressions.page(
            connection,
            parts.sealer,
            caller.workspace_id,
            wanted,
            limit=per_page + 1,
            offset=offset_of(page, per_page),
            after=after,
        )
    following = encode_cursor(list_id, rows[per_page - 1]["id"]) if len(rows) > per_page else None
    shown = [_shown(row) for row in rows[:per_page]]
    return page_answer(shown, page=page, per_page=per_page, total=total, cursor={"next": following})


def _place(cursor: str | None, list_id: str, page: int) -> int:
    if cursor is None:
        return 0
    if page != 1:
        raise invalid({"page": ["can not be given together with cursor"]})
    try:
        return decode_cursor(cursor, list_id)
    except CursorError as error:
        raise invalid({"cursor": [str(error)]}) from None


@router.post("", operation_id="suppress_people", response_model=One[Suppressed], openapi_extra=_BODY)
@takes("application/json", "text/csv")
async def suppress_people(request: Request, caller: Writer, parts: FromParts) -> Response:
    """Never write to these people again, also not what is queued already. Who is on the list stays there once."""
    received, people, errors = await _read(request)
    added, rest = 0, people
    while len(rest) > _AT_ONCE:
        # No transaction takes long; if this breaks off, doing it again doubles nobody.
        async with parts.database.workspace(caller.workspace_id, caller.author) as connection:
            added += await pg_suppressions.add(connection, parts.sealer, caller.workspace_id, rest[:_AT_ONCE])
        rest = rest[_AT_ONCE:]
    async with changing(parts, caller) as change:
        added += await pg_suppressions.add(change.connection, parts.sealer, caller.workspace_id, rest)
        return change.answer(
            {
                "received": received,
                "added": added,
                "already_listed": len(people) - added,
                "rejected": received - len(people),
                "errors": [
                    {"line": one.line, "column": one.column, "value": one.value, "reason": one.reason} for one in errors
                ],
            }
        )


@router.delete("/{suppression_id:id}", status_code=204, operation_id="delete_suppression", response_model=None)
async def delete_suppression(suppression_id: int, caller: Writer, parts: FromParts) -> Response:
    """This person may be written to again. An erased person's line goes with the ability `admin` only."""
    async with changing(parts, caller) as change:
        erased = await pg_suppressions.is_erased(change.connection, caller.workspace_id, suppression_id)
        if erased is None:
            raise not_found("suppression")
        if erased and not allows(caller.abilities, "admin"):
            raise forbidden("admin")
        await pg_suppressions.delete(change.connection, caller.workspace_id, suppression_id)
        return change.nothing()


async def _read(request: Request) -> tuple[int, list[Listed], list[LineError]]:
    if media_type(request) == "text/csv":
        try:
            received, people, errors = sorted_out(csv_listed(await request.body()))
        except FileError as problem:
            raise invalid({"file": [str(problem)]}, code="malformed_file") from None
        if received > MOST_PEOPLE:
            raise invalid({"file": [f"has more than {MOST_PEOPLE} lines"]})
        return received, people, errors
    parsed = await request.json()
    if not isinstance(parsed, dict):
        raise invalid({"body": ["must be a JSON object"]})
    return _several(parsed) if "people" in parsed else _one(parsed)


def _several(parsed: dict[str, Any]) -> tuple[int, list[Listed], list[LineError]]:
    problems = {name: ["can not be given together with people"] for name in parsed if name in COLUMNS}
    problems |= {name: ["is not a known field"] for name in parsed if name not in (*COLUMNS, "people")}
    people = parsed["people"]
    if not isinstance(people, list) or not 1 <= len(people) <= MOST_PEOPLE:
        problems["people"] = [f"should be a list of 1 to {MOST_PEOPLE} people"]
    if problems:
        raise invalid(problems)
    return sorted_out(json_listed(number, one) for number, one in enumerate(people, start=1))


def _one(parsed: dict[str, Any]) -> tuple[int, list[Listed], list[LineError]]:
    unknown = {name: ["is not a known field"] for name in parsed if name not in COLUMNS}
    if unknown:
        raise invalid(unknown)
    checked = check_listed(json_listed(1, parsed))
    if isinstance(checked, Listed):
        return 1, [checked], []
    raise invalid({error.column or "body": [error.reason] for error in checked})


async def _as_csv(parts: Parts, caller: Caller, wanted: Wanted) -> AsyncIterator[str]:
    columns = ("id", "telegram_user_id", "handle", "phone", "erased", "reason", "created_at")
    yield csv_lines([columns])
    last = 0
    while True:
        # A transaction for each piece: a client may take its time.
        async with parts.database.workspace(caller.workspace_id) as connection:
            rows = await pg_suppressions.page(
                connection, parts.sealer, caller.workspace_id, wanted, limit=_BATCH, after=last
            )
        if rows:
            # Handles as they are stored: an `@` would have to be defused.
            plain = ({**_shown(row), "handle": row["handle"], "created_at": written(row["created_at"])} for row in rows)
            yield csv_lines([row[name] for name in columns] for row in plain)
            last = rows[-1]["id"]
        if len(rows) < _BATCH:
            return


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": row["id"],
        "telegram_user_id": row["telegram_user_id"],
        "handle": f"@{row['handle']}" if row["handle"] else None,
        "phone": row["phone"],
        "erased": row["erased"],
        "reason": row["reason"],
        "created_at": seconds(row["created_at"]),
    }
