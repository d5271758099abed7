"""Every error a call may answer: what it means, an example, and the words that `code` may have there."""

from collections.abc import Iterable, Set
from typing import Any, Final

from relaygram_api.openapi.headers import RATE_LIMIT, REQUEST_ID, references

_MEANINGS: Final = {
    400: "The request can not be understood.",
    401: "No token, or one that is unknown, expired or revoked.",
    403: "The token lacks the ability.",
    404: "Unknown, or another workspace's.",
    408: "The body stood still for too long.",
    409: "The state of the thing forbids it; the message says from what to what.",
    412: "It has changed since it was read.",
    413: "The body is too large.",
    415: "The body is of another media type.",
    422: "Fields are wrong; `errors` says which and why.",
    429: "Too many requests; `Retry-After` says when to try again.",
    503: "The database is away; `Retry-After` says when to try again.",
}
# The word every call may answer with a status, and what it tells then.
_USUAL: Final = {
    401: ("unauthenticated", "Unauthenticated."),
    403: ("missing_ability", "This token lacks the ability campaigns:write."),
    404: ("not_found", "There is no such campaign."),
    408: ("too_slow", "The body stood still for too long and was given up."),
    413: ("too_large", "The body is larger than 1048576 bytes."),
    415: ("unsupported_media_type", "The body must be application/json."),
    422: ("validation_failed", "name: is required"),
    429: ("too_many_requests", "Too many requests: this token's rate limit is reached."),
    503: ("unavailable", "The service can not reach its database. Try again."),
}
# Words that only some calls answer: word -> status, what it tells then, and the calls (or kinds of calls:
# "POST" with an Idempotency-Key, "If-Match").
_PARTICULAR: Final[dict[str, tuple[int, str, frozenset[str]]]] = {
    "invalid_credentials": (401, "The e-mail or the password is wrong.", frozenset({"login"})),
    "not_changeable": (
        409,
        "A campaign that is completed can not be changed.",
        frozenset({"update_campaign", "patch_campaign", "replace_steps"}),
    ),
    "transition_refused": (
        409,
        "A campaign that is stopped can not be started.",
        frozenset({"start_campaign", "pause_campaign", "stop_campaign"}),
    ),
    "import_running": (
        409,
        "An import of contacts is under way; start when it is completed.",
        frozenset({"start_campaign"}),
    ),
    "no_contacts": (422, "contacts: a broadcast needs at least one contact", frozenset({"start_campaign"})),
    "unknown_tokens": (
        422,
        "body: asks for {{city}}, which the contacts do not have; they have first_name, last_name, handle, town",
        frozenset({"start_campaign"}),
    ),
    "campaign_ended": (409, "A campaign that is completed takes no more contacts.", frozenset({"import_contacts"})),
    "malformed_file": (
        422,
        "file: line 1: the header has none of the columns telegram_user_id, handle, phone",
        frozenset({"import_contacts", "suppress_people"}),
    ),
    "not_asked_for": (
        409,
        "Telegram does not ask for a code now: the account is active.",
        frozenset({"enter_telegram_code", "enter_telegram_password", "resend_telegram_code"}),
    ),
    "not_disabled": (
        409,
        "Only a disabled account can be connected again; this one is active.",
        frozenset({"reconnect_telegram_account"}),
    ),
    "account_not_active": (
        409,
        "A test needs an account that is active; the campaign's account is code_required.",
        frozenset({"test_campaign"}),
    ),
    "idempotency_key_in_use": (
        409,
        "The first request with this Idempotency-Key is still at work.",
        frozenset({"POST"}),
    ),
    "idempotency_key_reused": (
        422,
        "Idempotency-Key: was used with another request within the last 24 hours",
        frozenset({"POST"}),
    ),
    "too_many_exports": (503, "There are too many exports here. Try again.", frozenset({"export_logs"})),
    "precondition_failed": (
        412,
        "It has been changed since: it is at version 4 now. Read it again, then decide.",
        frozenset({"If-Match"}),
    ),
}
_NAMES: Final = {
    401: "Unauthenticated", 403: "Forbidden", 404: "NotFound", 408: "TooSlow", 413: "TooLarge",
    415: "UnsupportedMediaType", 422: "Invalid", 429: "TooManyRequests", 503: "Unavailable",
}  # fmt: skip
_REQUEST_ID = "5f0c9a4be8d14c7e9a31b2c4"
SCHEMA: Final = {
    "type": "object",
    "description": "What went wrong.",
    "required": ["message", "code", "request_id"],
    "additionalProperties": False,
    "properties": {
        "message": {"type": "string", "description": "For people."},
        "errors": {
            "type": "object",
            "description": "By field, what is wrong with it; only with 422.",
            "additionalProperties": {"type": "array", "items": {"type": "string"}, "minItems": 1},
        },
        "code": {"type": "string", "pattern": "^[a-z]+(_[a-z]+)*$", "description": "A stable word for programs."},
        "request_id": {"type": "string", "description": "Also in the header `X-Request-Id`."},
    },
}


def shared() -> dict[str, Any]:
    """`components/responses`: the errors that every call answers alike."""
    return {name: _response(status, [_USUAL[status]]) for status, name in _NAMES.items()}


def add_errors(operation: dict[str, Any], statuses: Iterable[int], kinds: Set[str]) -> None:
    """Describe these errors of an operation, and those that only it has, or operations of these kinds."""
    responses, operation_id = operation["responses"], str(operation["operationId"])
    particular: dict[int, list[tuple[str, str]]] = {}
    for word, (status, told, operations) in _PARTICULAR.items():
        if operations & {operation_id, *kinds}:
            particular.setdefault(status, []).append((word, told))
    for status in sorted({*statuses, *particular}):
        usual = [_USUAL[status]] if status in _USUAL else []
        words = usual + particular.get(status, [])
        if status in particular:
            responses[str(status)] = _response(status, words)
        else:
            responses[str(status)] = {"$ref": f"#/components/responses/{_NAMES[status]}"}


def _response(status: int, words: list[tuple[str, str]]) -> dict[str, Any]:
    # Before a token is known there is no rate.
    headers = references(REQUEST_ID, *(RATE_LIMIT if status not in (401, 413) else ()))
    if status in (429, 503) or "idempotency_key_in_use" in dict(words):
        headers |= references("Retry-After")
    if status == 401:
        headers |= references("WWW-Authenticate")
    return {
        "description": f"{_MEANINGS[status]}\n\n`code`: {', '.join(f'`{word}`' for word, _ in words)}.",
        "headers": headers,
        "content": {
            "application/json": {
                "schema": {
                    "$ref": "#/components/schemas/Error",
                    "properties": {"code": {"enum": [word for word, _ in words]}},
                },
                "examples": {word: {"value": _example(status, word, told)} for word, told in words},
            }
        },
    }


def _example(status: int, word: str, told: str) -> dict[str, Any]:
    field, _, problem = told.partition(": ")
    fields = {"errors": {field: [problem]}} if status == 422 else {}
    return {"message": told, **fields, "code": word, "request_id": _REQUEST_ID}
