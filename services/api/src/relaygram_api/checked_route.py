"""Routes that check in the contract's order: 415, a body that is not JSON, abilities, the thing itself, its fields."""

from collections.abc import Awaitable, Callable, Coroutine
from email.message import Message
from typing import Annotated, Any, TypeVar

import orjson
from fastapi import Depends, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.routing import Match
from starlette.types import Scope

from relaygram_api.core.json_text import nul_fields
from relaygram_api.errors import ApiError, field_errors, forbidden, invalid
from relaygram_api.idempotency import once
from relaygram_api.parts import Caller
from relaygram_common.security.tokens import allows

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])
PREFIX = "/api/v1"
_JSON = frozenset({"application/json"})
_CHARSETS = frozenset({"utf-8", "utf8", "us-ascii"})
Exists = Callable[[Request], Awaitable[None]]


class _JsonRequest(Request):
    """Parses strictly (no NaN, no lone surrogates, no endless nesting), and once."""

    async def json(self) -> Any:
        if not hasattr(self, "_parsed"):
            takes_nul = getattr(self.scope["endpoint"], "finds_nul_itself", False)
            self._parsed = parse_json(await self.body(), takes_nul=takes_nul)
        return self._parsed

    @property
    def is_read(self) -> bool:
        """Whether the body has been read."""
        return hasattr(self, "_body")


class CheckedRoute(APIRoute):
    """FastAPI would validate fields before the thing is looked up, and take bytes for a body of unknown type."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Not what only looks like this path: `$`, in Starlette's pattern, is also before a last line feed."""
        return (Match.NONE, {}) if scope["path"].endswith("\n") else super().matches(scope)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        exists: Exists | None = getattr(self.endpoint, "concerns", None)
        accepted: frozenset[str] = getattr(self.endpoint, "takes", _JSON if self.body_field else frozenset())
        may_be_empty = self.body_field is not None and not self.body_field.field_info.is_required()

        async def checked(request: Request) -> Response:
            request = _JsonRequest(request.scope, request.receive)
            if accepted and not (may_be_empty and not await request.body()):
                await _check_body(request, accepted)
            return await once(request, handle_checked, streams=bool(accepted) and not request.is_read)

        async def handle_checked(request: Request) -> Response:
            try:
                return await handle(request)
            except RequestValidationError as error:
                if exists is not None:
                    await exists(request)
                raise invalid(field_errors(error.errors())) from None

        return checked


async def _check_body(request: Request, accepted: frozenset[str]) -> None:
    kind = media_type(request)
    if kind not in accepted:
        if not kind and not await request.body():
            raise invalid({"body": ["is required"]})
        raise _unsupported(f"The body must be {' or '.join(sorted(accepted))}.")
    if _charset(request) not in _CHARSETS:
        raise _unsupported("The body must be UTF-8.")
    if request.headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise _unsupported("The body must come as it is, without Content-Encoding.")
    if kind in _JSON:
        if not await request.body():
            raise invalid({"body": ["is required"]})
        await request.json()


def _unsupported(message: str) -> ApiError:
    return ApiError(415, "unsupported_media_type", message)


def _charset(request: Request) -> str:
    message = Message()
    message["content-type"] = request.headers.get("content-type", "")
    return (message.get_content_charset() or "utf-8").lower()


def takes(*kinds: str) -> Callable[[Endpoint], Endpoint]:
    """The endpoint reads the body itself, which is of one of these media types."""

    def mark(endpoint: Endpoint) -> Endpoint:
        endpoint.takes = frozenset(kinds)  # type: ignore[attr-defined]
        return endpoint

    return mark


def finds_nul_itself(endpoint: Endpoint) -> Endpoint:
    """The endpoint tells which of its texts PostgreSQL can not hold: NUL in one of them is not to cost the others."""
    endpoint.finds_nul_itself = True  # type: ignore[attr-defined]
    return endpoint


def concerns(exists: Exists) -> Callable[[Endpoint], Endpoint]:
    """The endpoint is about a thing: when its fields are wrong, first say 404 if there is no such thing."""

    def mark(endpoint: Endpoint) -> Endpoint:
        endpoint.concerns = exists  # type: ignore[attr-defined]
        return endpoint

    return mark


def media_type(request: Request) -> str:
    """The media type without its parameters, lower-case."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def parse_json(body: bytes, *, takes_nul: bool = False) -> Any:
    """JSON, or a 422 of field `body`."""
    try:
        parsed = orjson.loads(body)
    except (orjson.JSONDecodeError, RecursionError):
        raise invalid({"body": ["is not JSON"]}) from None
    if not takes_nul and b"\\u0000" in body and (fields := nul_fields(parsed)):
        raise invalid({field: ["must not contain the character NUL"] for field in fields})
    return parsed


def caller_with(ability: str) -> Any:
    """A dependency: the caller, whose token must allow this."""

    async def caller(request: Request) -> Caller:
        known: Caller = request.state.caller
        if not allows(known.abilities, ability):
            raise forbidden(ability)
        return known

    caller.ability = ability  # type: ignore[attr-defined]  # read by the OpenAPI document
    return Depends(caller)


async def _caller(request: Request) -> Caller:
    known: Caller = request.state.caller
    return known


AnyCaller = Annotated[Caller, Depends(_caller)]
