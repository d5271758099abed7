"""Errors of the campaign API: `message`, `code`, `request_id`, and `errors` by field for a 422."""

from typing import Any

from relaygram_api.errors import ApiError


def error(error: ApiError, request_id: str) -> tuple[int, dict[str, Any]]:
    """Status and body."""
    content: dict[str, Any] = {"message": error.detail}
    if error.fields is not None:
        content["errors"] = {field: list(problems) for field, problems in error.fields.items()}
    return error.status_code, {**content, "code": error.code, "request_id": request_id}
