"""Errors of the send logs: `ok` is false, and a word and a sentence say why."""

from typing import Any, Final

from relaygram_api.errors import ApiError

_OTHERWISE: Final = "invalid_request"
_CODES: Final = {
    401: "unauthorized",
    403: "forbidden",
    404: "resource_not_found",
    429: "rate_limited",
    500: "internal_error",
    503: "unavailable",
}
# Every word that `code` may have.
CODES: Final = [_OTHERWISE, *_CODES.values()]


def error(error: ApiError, _request_id: str) -> tuple[int, dict[str, Any]]:
    """Status and body: fields that are wrong are a 400 here."""
    status = 400 if error.status_code == 422 else error.status_code
    return status, {"ok": False, "error": {"code": _CODES.get(status, _OTHERWISE), "message": error.detail}}
