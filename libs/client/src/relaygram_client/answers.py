"""Answers of the API as values and as exceptions: each of its surfaces says in its own shape what is wrong."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import httpx

from relaygram_client.errors import FieldErrors, NoAnswerError, UnexpectedAnswerError, error_class
from relaygram_client.retries import retry_after_seconds

#: What was never sent, so that nothing can have happened.
NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


class _Said(NamedTuple):
    message: str
    code: str = ""
    fields: FieldErrors | None = None
    request_id: str = ""


def parsed(response: httpx.Response) -> Any:
    """The JSON of an answer, None when it is empty."""
    if not response.content or response.status_code == 404:
        return None
    try:
        return response.json()
    except ValueError as error:
        raise UnexpectedAnswerError(f"{response.url.host} answered something that is not JSON") from error


def as_error(response: httpx.Response) -> Exception:
    """What was refused, and why."""
    if response.is_redirect:
        where = response.headers.get("location", "elsewhere")
        return UnexpectedAnswerError(f"{response.url.host} redirects to {where}: give the address that it leads to")
    try:
        said = _said(response.json())
    except (ValueError, KeyError, TypeError, AttributeError):
        return UnexpectedAnswerError(
            f"{response.url.host} answered {response.status_code}, and not as Relaygram's API does",
            status=response.status_code,
        )
    return error_class(response.status_code)(
        response.status_code,
        said.message,
        code=said.code,
        fields=said.fields,
        request_id=said.request_id or response.headers.get("x-request-id", ""),
        retry_after=retry_after_seconds(response.headers.get("retry-after")),
    )


def no_answer(url: str, error: httpx.TransportError) -> NoAnswerError:
    """A connection that failed, in words."""
    if isinstance(error, httpx.TimeoutException):
        return NoAnswerError(f"{url} did not answer in time")
    said = str(error) or type(error).__name__
    if isinstance(error, NEVER_SENT):
        return NoAnswerError(f"{url} can not be reached: {said}")
    return NoAnswerError(f"{url} closed the connection without an answer: {said}")


def _said(content: Any) -> _Said:
    """Of the campaign API, of channel logs, of send logs."""
    if "errorCode" in content:
        return _Said(content["description"], content["errorCode"], _violations(content["violations"]))
    if content.get("ok") is False:
        return _Said(content["error"]["message"], content["error"]["code"])
    return _Said(
        str(content["message"]),
        str(content.get("code") or ""),
        content.get("errors"),
        str(content.get("request_id") or ""),
    )


def _violations(violations: list[Mapping[str, str]]) -> FieldErrors:
    fields: dict[str, list[str]] = {}
    for one in violations:
        fields.setdefault(one["property"], []).append(one["violation"])
    return fields
