"""Logging in and out, and who one is."""

from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from pydantic import Field, StrictStr, StringConstraints

from relaygram_api.adapters import pg_tokens
from relaygram_api.adapters.pg_workspace import Author
from relaygram_api.answers import answer, seconds
from relaygram_api.change import changing
from relaygram_api.checked_route import PREFIX, AnyCaller, CheckedRoute
from relaygram_api.core.abilities import unknown_abilities
from relaygram_api.errors import ApiError, invalid
from relaygram_api.fields import Body, Name
from relaygram_api.parts import FromParts
from relaygram_api.schemas.envelopes import One
from relaygram_api.schemas.identity import LoggedIn, Me
from relaygram_common.security.passwords import password_matches
from relaygram_common.security.tokens import ANY_ABILITY

router = APIRouter(prefix=PREFIX, route_class=CheckedRoute, tags=["Authentication"])


class LogIn(Body):
    """An e-mail and its password; the device's name becomes the token's."""

    email: Annotated[StrictStr, StringConstraints(min_length=1, max_length=320)]
    password: Annotated[StrictStr, StringConstraints(min_length=1, max_length=1024)]
    device_name: Name
    abilities: list[StrictStr] = Field(default=[ANY_ABILITY], min_length=1, max_length=50)


@router.post("/login", operation_id="login", response_model=One[LoggedIn])
async def login(request: Request, body: LogIn, parts: FromParts) -> Response:
    """Make a token from an e-mail and a password."""
    if unknown := unknown_abilities(body.abilities):
        raise invalid({"abilities": [f"unknown: {', '.join(unknown)}"]})
    address = request.client.host if request.client else ""
    async with parts.logins.trying(body.email, address) as attempt:
        user = await pg_tokens.user_by_email(parts.database, body.email)
        stored = user["password_hash"] if user and user["disabled_at"] is None else None
        if not await password_matches(stored, body.password) or user is None:
            raise ApiError(401, "invalid_credentials", "The e-mail or the password is wrong.")
        attempt.has_succeeded = True
    author = Author(f"user:{user['id']}", None, request.state.request_id)
    async with parts.database.workspace(user["workspace_id"], author) as connection:
        _, token = await pg_tokens.create(
            connection, user["workspace_id"], user["id"], name=body.device_name, abilities=body.abilities
        )
    shown = {"id": user["id"], "email": user["email"], "name": user["name"]}
    return answer({"token": token, "abilities": body.abilities, "user": shown})


@router.post("/logout", status_code=204, operation_id="logout")
async def logout(caller: AnyCaller, parts: FromParts) -> Response:
    """Revoke the token that this call is made with, and no other."""
    async with changing(parts, caller) as change:
        await pg_tokens.revoke(change.connection, caller.user_id, caller.token_id)
        done = change.nothing()
    parts.tokens.forget(caller.token_id)
    return done


@router.get("/me", operation_id="get_me", response_model=One[Me])
async def me(caller: AnyCaller, parts: FromParts) -> Response:
    """The user, workspace and token that this call is made with."""
    async with parts.database.reading(caller.workspace_id) as connection:
        row = await pg_tokens.me(connection, caller)
    return answer(_shown(row))


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": row["id"],
        "email": row["email"],
        "name": row["name"],
        "workspace": {"id": row["workspace_id"], "name": row["workspace_name"]},
        "token": {
            "id": row["token_id"],
            "name": row["token_name"],
            "abilities": row["abilities"],
            "expires_at": seconds(row["expires_at"]),
        },
    }
