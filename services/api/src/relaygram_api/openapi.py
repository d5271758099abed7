"""The OpenAPI document: `python -m relaygram_api.openapi` writes `docs/openapi.json`."""

import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import orjson
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

_TAGS = (
    ("Authentication", "Log in with e-mail and password; every other call bears the token."),
    ("Tokens", "Further tokens of the same user, with fewer abilities or an end."),
    ("Telegram accounts", "Connect the accounts that send: by phone and code, by bot token, or by a session."),
    ("Campaigns", "Broadcasts and auto-replies, and their life: draft, running, paused, completed, stopped."),
    ("Contacts", "The people of a campaign: importing and listing them."),
    ("Logs", "What became of every message."),
)
_ERRORS = {
    401: "No token, or one that is unknown, expired or revoked.",
    403: "The token lacks the ability.",
    404: "Unknown, or another workspace's.",
    408: "The body stood still for too long.",
    409: "The state of the thing forbids it; the message says from what to what.",
    413: "The body is too large.",
    415: "The body is of another media type.",
    422: "Fields are wrong; `errors` says which and why.",
    429: "Too many requests; `Retry-After` says when to try again.",
    503: "The database is away; `Retry-After` says when to try again.",
}
_ERROR_SCHEMA = {
    "title": "Error",
    "type": "object",
    "required": ["message", "code", "request_id"],
    "properties": {
        "message": {"type": "string"},
        "errors": {
            "type": "object",
            "description": "By field; only with 422.",
            "additionalProperties": {"type": "array", "items": {"type": "string"}},
        },
        "code": {"type": "string", "description": "A stable word for programs."},
        "request_id": {"type": "string", "description": "Also in the header X-Request-Id."},
    },
    "example": {"message": "name: is required", "errors": {"name": ["is required"]}, "code": "validation_failed",
                "request_id": "5f0c9a4be8d14c7e9a31b2c4"},
}  # fmt: skip


def document(app: FastAPI) -> dict[str, Any]:
    """Describe an application's routes."""
    routes = [route for route in app.routes if isinstance(route, APIRoute) and route.include_in_schema]
    described = get_openapi(
        title="Relaygram",
        version=version("relaygram-api"),
        openapi_version="3.1.0",
        description="Telegram campaigns that lose nothing and double nothing.",
        routes=routes,
        tags=[{"name": name, "description": text} for name, text in _TAGS],
    )
    components = described["components"]
    components["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer", "description": "A token as `POST /api/v1/login` gives it."}
    }
    schemas = components["schemas"]
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    schemas["Error"] = _ERROR_SCHEMA
    for route in routes:
        for method in route.methods or ():
            _complete(described["paths"][route.path_format][method.lower()], route)
    return described


def _complete(operation: dict[str, Any], route: APIRoute) -> None:
    ability = _ability(route)
    is_open = operation["operationId"] == "login"
    operation["security"] = [] if is_open else [{"token": []}]
    if ability:
        operation["description"] = f"{operation.get('description', '')}\n\nAbility: `{ability}`.".strip()
    responses = operation["responses"]
    expected = {int(status) for status in responses if int(status) >= 400} - {422}
    for status in sorted(expected | _statuses(operation, needs_ability=ability is not None)):
        responses[str(status)] = _error_response(status)
    if 422 not in _statuses(operation, needs_ability=False):
        responses.pop("422", None)


def _statuses(operation: dict[str, Any], *, needs_ability: bool) -> set[int]:
    has_body = "requestBody" in operation
    parameters = operation.get("parameters", [])
    takes_fields = has_body or any(parameter["in"] == "query" for parameter in parameters)
    statuses = {401, 429, 503}
    statuses |= {408, 413, 415} if has_body else set()
    statuses |= {422} if takes_fields or operation["operationId"] == "start_campaign" else set()
    statuses |= {403} if needs_ability or operation["operationId"] == "create_token" else set()
    statuses |= {404} if any(parameter["in"] == "path" for parameter in parameters) else set()
    return statuses


def _error_response(status: int) -> dict[str, Any]:
    response: dict[str, Any] = {
        "description": _ERRORS[status],
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
    }
    if status in (429, 503):
        response["headers"] = {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds."}}
    return response


def _ability(route: APIRoute) -> str | None:
    for dependency in route.dependant.dependencies:
        ability: str | None = getattr(dependency.call, "ability", None)
        if ability:
            return ability
    return None


def text(app: FastAPI) -> bytes:
    """The document as it is committed."""
    return orjson.dumps(document(app), option=orjson.OPT_INDENT_2) + b"\n"


if __name__ == "__main__":
    from relaygram_api.web import create_app

    Path(sys.argv[1] if len(sys.argv) > 1 else "docs/openapi.json").write_bytes(text(create_app(None)))
