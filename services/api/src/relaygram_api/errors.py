"""What can be wrong with a request, whatever the surface. How each shows it: surfaces/."""

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

from fastapi import HTTPException

_MOST_FIELDS = 100
_LONGEST_NAME = 200
_PLACES = ("body", "query", "path", "header")
FieldErrors = Mapping[str, Sequence[str]]


class ApiError(HTTPException):
    """An answer that says what is wrong."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        fields: FieldErrors | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(status, message, dict(headers) if headers else None)
        self.code = code
        self.fields = fields


def unauthenticated() -> ApiError:
    """No token, or one that is unknown, expired or revoked."""
    return ApiError(401, "unauthenticated", "Unauthenticated.", headers={"WWW-Authenticate": "Bearer"})


def forbidden(ability: str) -> ApiError:
    """The token lacks an ability."""
    return ApiError(403, "missing_ability", f"This token lacks the ability {ability}.")


def not_found(thing: str) -> ApiError:
    """Unknown, or another workspace's."""
    return ApiError(404, "not_found", f"There is no such {thing}.")


def invalid(fields: FieldErrors, *, code: str = "validation_failed") -> ApiError:
    """Some fields are wrong. Of a great many the first are named: an answer is not to outgrow its request."""
    rest = sum(len(problems) for problems in fields.values()) - 1
    more = f" (and {rest} more)" if rest else ""
    shown = {_short(field): problems for field, problems in islice(fields.items(), _MOST_FIELDS)}
    first = next(iter(shown))
    return ApiError(422, code, f"{first}: {next(iter(shown[first]))}{more}", fields=shown)


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}…"


def conflict(code: str, message: str) -> ApiError:
    """The state of the thing forbids it."""
    return ApiError(409, code, message)


def too_large(limit_bytes: int) -> ApiError:
    """The body is over its bound."""
    return ApiError(413, "too_large", f"The body is larger than {limit_bytes} bytes.", headers={"Connection": "close"})


def too_many_lines(most: int) -> ApiError:
    """The file has more people than one import may."""
    return ApiError(413, "too_large", f"The file has more than {most} lines.", headers={"Connection": "close"})


def too_slow() -> ApiError:
    """The body stood still."""
    return ApiError(
        408,
        "too_slow",
        "The body stood still for too long and was given up.",
        headers={"Connection": "close"},
    )


def too_many(message: str, seconds: int) -> ApiError:
    """Slow down."""
    return ApiError(429, "too_many_requests", message, headers={"Retry-After": str(max(1, seconds))})


def unavailable(message: str = "The service can not reach its database. Try again.") -> ApiError:
    """PostgreSQL is away, or something is full."""
    return ApiError(503, "unavailable", message, headers={"Retry-After": "2"})


def field_errors(problems: Sequence[Any]) -> dict[str, list[str]]:
    """pydantic's problems by field, in words that say nothing of Python."""
    fields: dict[str, list[str]] = {}
    for problem in problems:
        path = [str(part) for part in problem["loc"]]
        path = path[1:] if path and path[0] in _PLACES else path  # only there: fields may be called so too
        fields.setdefault(".".join(path) or "body", []).append(_in_words(problem))
    return fields


def _in_words(problem: Any) -> str:
    match problem["type"]:
        case "missing":
            return "is required"
        case "extra_forbidden":
            return "is not a known field"
        case "json_invalid":
            return "is not JSON"
        case "model_attributes_type" | "model_type" | "dict_type":
            return "must be a JSON object"
    text = str(problem["msg"]).removeprefix("Value error, ")
    return text.replace("Input should", "should").replace("String should", "should").replace("Value should", "should")
