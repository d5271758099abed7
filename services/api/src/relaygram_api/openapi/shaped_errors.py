"""Errors of the surfaces that have a shape of their own: each example is what the surface itself makes of the error."""

from collections.abc import Iterable
from typing import Any, Final

from relaygram_api.errors import ApiError, invalid
from relaygram_api.openapi.headers import RATE_LIMIT, REQUEST_ID, references
from relaygram_api.surfaces import CHANNEL_LOGS, SEND_LOGS, Surface, SurfaceName, send_logs

_REQUEST_ID: Final = "5f0c9a4be8d14c7e9a31b2c4"
_MEANINGS: Final = {
    400: "The request is wrong.",
    401: "No token, or one that is unknown, expired or revoked.",
    403: "The token lacks the ability.",
    404: "Unknown, or another workspace's.",
    408: "The body stood still for too long.",
    409: "The first request with this Idempotency-Key is still at work.",
    413: "The body is too large.",
    415: "The body is of another media type.",
    429: "Too many requests; `Retry-After` says when to try again.",
    500: "A fault of this service.",
    503: "The database is away; `Retry-After` says when to try again.",
}
_TOLD: Final = {
    401: "Unauthenticated.",
    403: "This token lacks the ability logs:read.",
    404: "There is nothing at this address.",
    408: "The body stood still for too long and was given up.",
    409: "The first request with this Idempotency-Key is still at work.",
    413: "The body is larger than 1048576 bytes.",
    415: "The body must be application/json.",
    429: "Too many requests: this workspace's rate limit is reached.",
    500: "Something went wrong here; the request id finds it in our logs.",
    503: "The service can not reach its database. Try again.",
}
_TEXT: Final = {"type": "string"}


def _list_of(description: str, **fields: str) -> dict[str, Any]:
    properties = {name: {**_TEXT, "description": text} for name, text in fields.items()}
    item = {"type": "object", "additionalProperties": False, "required": list(fields), "properties": properties}
    return {"type": "array", "description": description, "items": item}


_CHANNEL_LOG_ERROR: Final[dict[str, Any]] = {
    "type": "object",
    "description": "What went wrong.",
    "required": ["errorCode", "description", "action", "violations", "resources"],
    "additionalProperties": False,
    "properties": {
        "errorCode": {**_TEXT, "pattern": "^E[0-9]{3}$", "description": "`E` and the status."},
        "description": {**_TEXT, "description": "What happened, for people."},
        "action": {**_TEXT, "description": "What to do about it."},
        "violations": _list_of(
            "The parameters that are wrong.", property="Which parameter.", violation="What is wrong with it."
        ),
        "resources": _list_of("Pages that tell more.", name="What it is called.", url="Where it is."),
    },
}
_SEND_LOG_ERROR: Final[dict[str, Any]] = {
    "type": "object",
    "description": "What went wrong.",
    "required": ["ok", "error"],
    "additionalProperties": False,
    "properties": {
        "ok": {"type": "boolean", "const": False, "description": "Whether it worked."},
        "error": {
            "type": "object",
            "description": "What went wrong.",
            "required": ["code", "message"],
            "additionalProperties": False,
            "properties": {
                "code": {**_TEXT, "enum": send_logs.CODES, "description": "A stable word for programs."},
                "message": {**_TEXT, "description": "For people."},
            },
        },
    },
}
# Of each surface the name of its error's schema, the schema, and the parameter that is wrong in its example.
_SHAPES: Final[dict[SurfaceName, tuple[str, dict[str, Any], str, str]]] = {
    CHANNEL_LOGS.name: (
        "ChannelLogError", _CHANNEL_LOG_ERROR, "limit", "should be less than or equal to 1000",
    ),
    SEND_LOGS.name: ("SendLogError", _SEND_LOG_ERROR, "options.limit", "should be less than or equal to 1000"),
}  # fmt: skip


def schemas() -> dict[str, Any]:
    """`components/schemas`: one for each of these surfaces."""
    return {name: schema for name, schema, _, _ in _SHAPES.values()}


def add_errors(operation: dict[str, Any], statuses: Iterable[int], surface: Surface) -> None:
    """Describe an operation's errors in its surface's shape, where wrong fields are a 400."""
    for status in sorted({400 if status == 422 else status for status in statuses} | {500}):
        operation["responses"][str(status)] = _response(status, surface)


def _response(status: int, surface: Surface) -> dict[str, Any]:
    name, _, field, problem = _SHAPES[surface.name]
    error = invalid({field: [problem]}) if status == 400 else ApiError(status, str(status), _TOLD[status])
    headers = references(REQUEST_ID, *(RATE_LIMIT if status not in (401, 413) else ()))
    if status in (429, 503):
        headers |= references("Retry-After")
    if status == 401:
        headers |= references("WWW-Authenticate")
    return {
        "description": _MEANINGS[status],
        "headers": headers,
        "content": {
            "application/json": {
                "schema": {"$ref": f"#/components/schemas/{name}"},
                "example": surface.error(error, _REQUEST_ID)[1],
            }
        },
    }
