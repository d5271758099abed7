"""Who changed what, and when."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response

from relaygram_api.adapters import pg_audit
from relaygram_api.answers import micros, page_answer
from relaygram_api.checked_route import PREFIX, CheckedRoute, caller_with
from relaygram_api.core.cursors import encode_cursor
from relaygram_api.fields import Moment, Page, PerPage, QueryId, QueryText, offset_of
from relaygram_api.paging import place_of
from relaygram_api.parts import Caller, FromParts
from relaygram_api.schemas.audit import Change
from relaygram_api.schemas.envelopes import Many

router = APIRouter(prefix=f"{PREFIX}/audit", route_class=CheckedRoute, tags=["Audit"])
_CAP = 100


@router.get("", operation_id="list_audit", response_model=Many[Change])
async def list_audit(
    caller: Annotated[Caller, caller_with("admin")],
    parts: FromParts,
    page: Annotated[Page, Query()] = 1,
    per_page: Annotated[PerPage, Query(description=f"Cut to {_CAP}.")] = 25,
    actor: Annotated[QueryText | None, Query(description="Only changes by `user:7`, `dispatcher`, …")] = None,
    action: Annotated[Literal["created", "changed", "deleted"] | None, Query()] = None,
    kind: Annotated[QueryText | None, Query(description="Only changes of a `campaign`, a `token`, …")] = None,
    thing_id: Annotated[QueryId | None, Query(description="Only changes of things with this id.")] = None,
    since: Annotated[Moment | None, Query(description="Only changes strictly after this.")] = None,
    until: Annotated[Moment | None, Query(description="Only changes strictly before this.")] = None,
    cursor: Annotated[QueryText | None, Query(description="`meta.cursor.next` of the page before.")] = None,
) -> Response:
    """Every change of what the workspace has, newest first; secrets are never shown."""
    per_page = min(per_page, _CAP)
    wanted = pg_audit.Filter(actor, action, kind, thing_id, since, until)
    before = place_of(cursor, wanted.listing, page)
    async with parts.database.reading(caller.workspace_id) as connection:
        total = await pg_audit.count(connection, wanted)
        # One row more than is shown tells whether there is a next page.
        rows = await pg_audit.page(
            connection, wanted, before=before, limit=per_page + 1, offset=offset_of(page, per_page)
        )
    shown = [_shown(row) for row in rows[:per_page]]
    following = encode_cursor(wanted.listing, shown[-1]["id"]) if len(rows) > per_page else None
    return page_answer(shown, page=page, per_page=per_page, total=total, cursor={"next": following})


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "happened_at": micros(row["happened_at"])}
