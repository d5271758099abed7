"""The caller's API tokens."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import Field, StrictStr

from relaygram_api.adapters import pg_tokens
from relaygram_api.answers import page_answer, seconds
from relaygram_api.change import changing
from relaygram_api.checked_route import PREFIX, AnyCaller, CheckedRoute
from relaygram_api.core.abilities import abilities_lacked, unknown_abilities
from relaygram_api.errors import ApiError, invalid, not_found
from relaygram_api.fields import Body, Moment, Name, Page, PerPage, offset_of
from relaygram_api.parts import FromParts
from relaygram_api.schemas.envelopes import Many, One
from relaygram_api.schemas.identity import NewToken, Token
from relaygram_api.things import now
from relaygram_common.security.tokens import ANY_ABILITY

router = APIRouter(prefix=f"{PREFIX}/tokens", route_class=CheckedRoute, tags=["Tokens"])
_CAP = 100


class TokenCreate(Body):
    """A further token of the same user."""

    name: Name
    abilities: list[StrictStr] = Field(default=[ANY_ABILITY], min_length=1, max_length=50)
    expires_at: Moment | None = None


@router.get("", operation_id="list_tokens", response_model=Many[Token])
async def list_tokens(
    caller: AnyCaller,
    parts: FromParts,
    page: Annotated[Page, Query()] = 1,
    per_page: Annotated[PerPage, Query(description=f"Cut to {_CAP}.")] = 25,
) -> Response:
    """The tokens of the caller's user that are neither revoked nor expired, newest first."""
    per_page = min(per_page, _CAP)
    async with parts.database.reading(caller.workspace_id) as connection:
        total = await pg_tokens.count(connection, caller.user_id)
        rows = await pg_tokens.page(connection, caller.user_id, limit=per_page, offset=offset_of(page, per_page))
    return page_answer([_shown(row) for row in rows], page=page, per_page=per_page, total=total)


@router.post("", status_code=201, operation_id="create_token", response_model=One[NewToken])
async def create_token(body: TokenCreate, caller: AnyCaller, parts: FromParts) -> Response:
    """Make a token; its secret is in this answer and can not be read again."""
    if unknown := unknown_abilities(body.abilities):
        raise invalid({"abilities": [f"unknown: {', '.join(unknown)}"]})
    if body.expires_at is not None and body.expires_at <= now():
        raise invalid({"expires_at": ["must be in the future"]})
    if lacked := abilities_lacked(caller.abilities, body.abilities):
        raise ApiError(403, "missing_ability", f"A token can not give what it lacks: {', '.join(lacked)}.")
    async with changing(parts, caller) as change:
        connection = change.connection
        row, token = await pg_tokens.create(
            connection,
            caller.workspace_id,
            caller.user_id,
            name=body.name,
            abilities=body.abilities,
            expires_at=body.expires_at,
        )
        return change.answer({**_shown(row), "token": token}, status=201)


@router.delete("/{token_id:id}", status_code=204, operation_id="revoke_token")
async def revoke_token(token_id: int, caller: AnyCaller, parts: FromParts) -> Response:
    """Revoke a token of the caller's user, at once."""
    async with changing(parts, caller) as change:
        if not await pg_tokens.revoke(change.connection, caller.user_id, token_id):
            raise not_found("token")
        done = change.nothing()
    parts.tokens.forget(token_id)
    return done


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": row["id"],
        "name": row["name"],
        "abilities": row["abilities"],
        "expires_at": seconds(row["expires_at"]),
        "last_used_at": seconds(row["last_used_at"]),
        "created_at": seconds(row["created_at"]),
    }
