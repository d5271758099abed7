"""The ASGI application: routes, how errors are answered, and the gate in front."""

from typing import Any

from fastapi import FastAPI, HTTPException, Request, Response
from starlette.middleware import Middleware
from starlette.routing import Match

from relaygram_api.answers import error_response
from relaygram_api.errors import ApiError
from relaygram_api.gate import ErrorAnswers, Gate
from relaygram_api.parts import Parts
from relaygram_api.routes import (
    account_login,
    accounts,
    all_logs,
    audit,
    campaign_tests,
    campaigns,
    channel_logs,
    contacts,
    delivery_events,
    docs,
    imports,
    lifecycle,
    log_export,
    log_stream,
    logs,
    media,
    people,
    previews,
    send_logs,
    session,
    stats,
    steps,
    suppressions,
    tokens,
)


def gated_app(parts: Parts) -> Gate:
    """What is served: the gate, and the application behind it."""
    return Gate(create_app(parts), parts)


def create_app(parts: Parts | None) -> FastAPI:
    """The routes; without parts they only describe themselves (for the OpenAPI document)."""
    app = FastAPI(
        title="Relaygram",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        middleware=[Middleware(ErrorAnswers)],
        exception_handlers={HTTPException: _answer_error, 404: _answer_error, 405: _answer_error},
    )
    app.state.parts = parts
    for noun in (
        session,
        tokens,
        accounts,
        account_login,
        campaigns,
        lifecycle,
        steps,
        media,
        previews,
        stats,
        campaign_tests,
        contacts,
        imports,
        suppressions,
        people,
        logs,
        all_logs,
        log_export,
        log_stream,
        delivery_events,
        audit,
        channel_logs,
        send_logs,
    ):
        app.router.routes += noun.router.routes
    app.router.routes += docs.router.routes
    app.router.routes.append(docs.assets())
    if parts is not None:
        app.router.routes += [route for route in parts.health.routes() if route.path != "/metrics"]
    return app


async def _answer_error(request: Request, error: Exception) -> Response:
    return error_response(_as_api_error(request, error), request.scope)


def _as_api_error(request: Request, error: Exception) -> ApiError:
    if isinstance(error, ApiError):
        return error
    status = error.status_code if isinstance(error, HTTPException) else getattr(error, "status_code", 500)
    if status == 404:
        return ApiError(404, "not_found", "There is nothing at this address.")
    if status == 405:
        allowed = ", ".join(_allowed_methods(request))
        return ApiError(405, "method_not_allowed", f"Allowed here: {allowed}.", headers={"Allow": allowed})
    return ApiError(status, "bad_request", str(getattr(error, "detail", "The request can not be understood.")))


def _allowed_methods(request: Request) -> list[str]:
    methods: set[str] = set()
    for route in request.app.routes:
        match, _ = route.matches(request.scope)
        if match is not Match.NONE:
            methods |= set(_methods_of(route))
    return sorted(methods)


def _methods_of(route: Any) -> set[str]:
    return getattr(route, "methods", None) or set()
