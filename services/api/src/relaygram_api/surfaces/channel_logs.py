"""Errors of the channel logs: what happened, what to do, which parameters are wrong; all five fields always."""

from typing import Any, Final

from relaygram_api.errors import ApiError

_ACTIONS: Final = {
    400: "Correct the parameters that are named here and try again.",
    401: "Send a valid token in the Authorization header.",
    403: "Use a token that has the ability logs:read.",
    404: "Check the address.",
    405: "Use one of the methods that are allowed here.",
    429: "Wait as long as Retry-After says, then try again.",
    500: "Try again; if it happens again, tell the operator the id of this request (X-Request-Id).",
    503: "Wait as long as Retry-After says, then try again.",
}
_OTHERWISE: Final = "Check the request and try again."


def error(error: ApiError, _request_id: str) -> tuple[int, dict[str, Any]]:
    """Status and body: fields that are wrong are a 400 here."""
    status = 400 if error.status_code == 422 else error.status_code
    fields = error.fields or {}
    return status, {
        "errorCode": f"E{status}",
        "description": error.detail,
        "action": _ACTIONS.get(status, _OTHERWISE),
        "violations": [
            {"property": field, "violation": problem} for field, problems in fields.items() for problem in problems
        ],
        "resources": [],
    }
