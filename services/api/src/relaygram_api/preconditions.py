"""Optimistic concurrency, offered and not demanded: `ETag`, `If-Match` on changes, `If-None-Match` on reads."""

from typing import Annotated, Any

from fastapi import Depends, Header, Request, Response

from relaygram_api.core.entity_tags import EntityTag, entity_tag, is_same_answer, is_version, parse_tags
from relaygram_api.errors import ApiError, invalid

_IF_MATCH = "The `ETag` of an earlier answer: when the thing has been changed since, 412 and nothing happens. `*`: any."
_IF_NONE_MATCH = "The `ETag` of an earlier answer: when the answer would be the same, 304."
# As the OpenAPI document has it.
ETAG: dict[str, Any] = {
    "headers": {
        "ETag": {
            "description": "Stands for this answer exactly, for `If-None-Match`; in `If-Match` it means the version "
            "that the answer shows: what somebody may have changed since, not counts that moved on.",
            "schema": {"type": "string"},
            "example": '"12-9a1f0c4be8d14c7e"',
        }
    }
}


class IfMatch:
    """What a change rests on."""

    def __init__(self, header: str | None) -> None:
        self._header = header

    def demand(self, version: int) -> None:
        """412 unless the thing, whose row is locked, still has the version that was seen; 422 for no entity tags."""
        if self._header is None:
            return
        if not is_version(_tags("If-Match", self._header), version):
            raise ApiError(
                412,
                "precondition_failed",
                f"It has been changed since: it is at version {version} now. Read it again, then decide.",
            )


class IfNoneMatch:
    """What the caller has already."""

    def __init__(self, header: str | None) -> None:
        self._header = header

    def answer(self, response: Response) -> Response:
        """304 when the caller has this very answer; 422 for no entity tags."""
        tag = response.headers["etag"]
        if self._header is not None and is_same_answer(_tags("If-None-Match", self._header), tag):
            return Response(status_code=304, headers={"ETag": tag})
        return response


def tagged(response: Response, version: int) -> Response:
    """An answer with its `ETag`."""
    response.headers["ETag"] = entity_tag(version, bytes(response.body))
    return response


def _tags(name: str, header: str) -> list[EntityTag] | None:
    try:
        return parse_tags(header)
    except ValueError as error:
        raise invalid({name: [str(error)]}) from None


async def _if_match(
    request: Request, _documented: Annotated[str | None, Header(alias="If-Match", description=_IF_MATCH)] = None
) -> IfMatch:
    return IfMatch(_header(request, "if-match"))


async def _if_none_match(
    request: Request,
    _documented: Annotated[str | None, Header(alias="If-None-Match", description=_IF_NONE_MATCH)] = None,
) -> IfNoneMatch:
    return IfNoneMatch(_header(request, "if-none-match"))


def _header(request: Request, name: str) -> str | None:
    # A list may come in several lines.
    lines = request.headers.getlist(name)
    return ",".join(lines) if lines else None


Expected = Annotated[IfMatch, Depends(_if_match)]
Known = Annotated[IfNoneMatch, Depends(_if_none_match)]
