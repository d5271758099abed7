"""Headers of answers and requests that every noun has."""

from typing import Any, Final

REQUEST_ID: Final = "X-Request-Id"
RATE_LIMIT: Final = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")
REPLAYED: Final = "Idempotent-Replayed"
IDEMPOTENCY_KEY: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Any text of your own, such as a UUID: with it, the call is done once, however often it is sent.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
}


def _integer(description: str, example: int) -> dict[str, Any]:
    return {
        "description": description,
        "schema": {"type": "integer", "minimum": 0, "format": "int64"},
        "example": example,
    }


HEADERS: Final[dict[str, Any]] = {
    REQUEST_ID: {
        "description": "Finds this call in the server's log; yours, when you sent one.",
        "schema": {"type": "string"},
        "example": "5f0c9a4be8d14c7e9a31b2c4",
    },
    "X-RateLimit-Limit": _integer("Requests a minute; absent where there is no limit.", 120),
    "X-RateLimit-Remaining": _integer("Requests that may be made at once.", 239),
    "X-RateLimit-Reset": _integer("When all of them may be made again, in seconds since 1970.", 1776502800),
    "Retry-After": _integer("Seconds to wait before trying again.", 2),
    "WWW-Authenticate": {"description": "How to authenticate.", "schema": {"type": "string", "const": "Bearer"}},
    REPLAYED: {
        "description": "There when this is the answer to an earlier call with the same `Idempotency-Key`.",
        "schema": {"type": "string", "const": "true"},
    },
}


def references(*names: str) -> dict[str, Any]:
    """A response's `headers`."""
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}
