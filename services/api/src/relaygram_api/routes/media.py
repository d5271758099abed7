"""Media that messages carry: given as a file, or by the address that it is fetched from."""

from typing import Annotated, Any, Literal
from urllib.parse import unquote

from fastapi import APIRouter, Request, Response
from pydantic import StrictStr, StringConstraints, ValidationError

from relaygram_api.adapters import pg_media
from relaygram_api.adapters.http_media import FetchError
from relaygram_api.adapters.pg_workspace import Connection
from relaygram_api.answers import answer, seconds
from relaygram_api.change import changing
from relaygram_api.checked_route import PREFIX, CheckedRoute, caller_with, media_type, takes
from relaygram_api.core.media import KINDS, MediaFile, kind_of, safe_name
from relaygram_api.errors import field_errors, invalid, not_found, too_large, too_many
from relaygram_api.fields import Body, ShortText
from relaygram_api.form_upload import read_form
from relaygram_api.parts import Caller, FromParts, Parts
from relaygram_api.received_file import ReceivedFile, TooLongError, receiving
from relaygram_api.schemas.envelopes import One
from relaygram_api.schemas.media import Media

router = APIRouter(prefix=f"{PREFIX}/media", route_class=CheckedRoute, tags=["Media"])
_FORM, _JSON = "multipart/form-data", "application/json"
_BUSY_SECONDS = 5
Kind = Literal["photo", "document"]


class MediaByAddress(Body):
    """Where the file is."""

    url: Annotated[StrictStr, StringConstraints(min_length=1, max_length=2048)]
    kind: Kind | None = None
    file_name: ShortText | None = None


_KIND_TEXT = "Without it JPEG and PNG go as a photo, all else as a document."
_WORDS = frozenset({"kind"})
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "The address of the file, which must be public, or the file in a form.",
        "content": {
            _JSON: {
                "schema": {
                    "type": "object",
                    "required": ["url"],
                    "additionalProperties": False,
                    "properties": {
                        "url": {"type": "string", "minLength": 1, "maxLength": 2048, "description": "http or https."},
                        "kind": {"enum": [*KINDS, None], "description": _KIND_TEXT},
                        "file_name": {
                            "type": ["string", "null"], "minLength": 1, "maxLength": 255,
                            "description": "Else the last part of the address.",
                        },
                    },
                },
                "example": {"url": "https://example.com/spring.jpg"},
            },
            _FORM: {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {"type": "string", "contentMediaType": "application/octet-stream", "minLength": 1},
                        "kind": {"enum": list(KINDS), "description": _KIND_TEXT},
                    },
                    "additionalProperties": False,
                },
                "example": {"file": "(the bytes)", "kind": "photo"},
            },
        },
    }
}  # fmt: skip


@router.post("", status_code=201, operation_id="add_media", response_model=One[Media], openapi_extra=_BODY)
@takes(_JSON, _FORM)
async def add_media(
    request: Request, caller: Annotated[Caller, caller_with("campaigns:write")], parts: FromParts
) -> Response:
    """Take a photo or file for `attachments`. What it is, its bytes say; the sender's word counts for nothing."""
    if parts.uploads.locked():
        raise too_many("Too many files are being received now.", _BUSY_SECONDS)
    is_form = media_type(request) == _FORM
    async with parts.uploads, receiving(parts.settings.max_media_bytes) as file:
        name, kind = await (_from_form(request, file) if is_form else _from_address(request, parts, file))
        if not file.size_bytes:
            raise invalid({"file" if is_form else "url": ["is empty"]})
        media = await _understood(file, safe_name(name), kind)
        async with changing(parts, caller) as change:
            media_id = await pg_media.add(change.connection, caller.workspace_id, media, file.chunks())
            return change.answer(await _shown(change.connection, media_id), status=201)


@router.get("/{media_id:id}", operation_id="get_media", response_model=One[Media])
async def get_media(
    media_id: int, caller: Annotated[Caller, caller_with("campaigns:read")], parts: FromParts
) -> Response:
    """What is known of a photo or file."""
    async with parts.database.workspace(caller.workspace_id) as connection:
        return answer(await _shown(connection, media_id))


async def _from_form(request: Request, file: ReceivedFile) -> tuple[str | None, str | None]:
    try:
        form = await read_form(request.headers["content-type"], request.stream(), file.write, _WORDS)
    except TooLongError:
        raise too_large(file.most_bytes) from None
    kind = form.words.get("kind")
    if not form.has_file:
        raise invalid({"file": ["is required"]})
    if kind is not None and kind not in KINDS:
        raise invalid({"kind": ["should be photo or document"]})
    return form.file_name, kind


async def _from_address(request: Request, parts: Parts, file: ReceivedFile) -> tuple[str | None, str | None]:
    try:
        asked = MediaByAddress.model_validate(await request.json())
    except ValidationError as error:
        raise invalid(field_errors(error.errors())) from None
    try:
        await parts.fetch_media(asked.url, file.write)
    except (FetchError, TooLongError) as error:
        raise invalid({"url": [str(error)]}) from None
    last = unquote(asked.url.partition("?")[0].partition("#")[0].rpartition("/")[2])
    return asked.file_name or last, asked.kind


async def _understood(file: ReceivedFile, name: str | None, wanted: str | None) -> MediaFile:
    mime_type, sha256 = await file.end(name)
    try:
        kind = kind_of(mime_type, file.size_bytes, wanted)
    except ValueError as error:
        raise invalid({"kind": [str(error)]}) from None
    return MediaFile(kind, mime_type, name, file.size_bytes, sha256)


async def _shown(connection: Connection, media_id: int) -> dict[str, Any]:
    row = await pg_media.get(connection, media_id)
    if row is None:
        raise not_found("media")
    return {**row, "sha256": row["sha256"].hex(), "created_at": seconds(row["created_at"])}
