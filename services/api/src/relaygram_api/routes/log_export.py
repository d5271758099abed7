"""The log of a campaign as one file."""

from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Query, Request, Response

from relaygram_api.adapters.export_files import ExportFile, GzipFile, PlainFile
from relaygram_api.adapters.parquet_file import NoParquetError, parquet_file
from relaygram_api.checked_route import PREFIX, CheckedRoute, caller_with, concerns
from relaygram_api.core.log_export import MEDIA_TYPES, Format, LogFilter, accepts_gzip
from relaygram_api.errors import invalid, not_found
from relaygram_api.export_response import ExportResponse
from relaygram_api.fields import Moment, QueryId, QueryText
from relaygram_api.log_exports import Wanted
from relaygram_api.parts import Caller, FromParts
from relaygram_api.things import exists
from relaygram_common.contracts.delivery import MAX_ID

router = APIRouter(prefix=PREFIX + "/campaigns/{campaign_id:id}/logs", route_class=CheckedRoute, tags=["Logs"])
_OF_PAGES: Final = ("page", "per_page", "cursor", "order", "changed_since")
_FILES: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "The file. It is whole only if the transfer ends as HTTP says: one that breaks off is not.",
        "content": {kind.partition(";")[0]: {"schema": {"type": "string"}} for kind in MEDIA_TYPES.values()},
    }
}


async def _filter(
    status: Annotated[Literal["sent", "failed", "pending"] | None, Query()] = None,
    since: Annotated[Moment | None, Query(description="Only rows made strictly after this.")] = None,
    since_id: Annotated[int | None, Query(ge=0, le=MAX_ID, description="Only rows with a greater `id`.")] = None,
    sender_id: Annotated[QueryId | None, Query(description="Only this contact's rows.")] = None,
    code: Annotated[QueryText | None, Query(description="Only rows with this error code.")] = None,
    q: Annotated[QueryText | None, Query(description="Part of the body.")] = None,
) -> LogFilter:
    return LogFilter(status=status, since=since, since_id=since_id, sender_id=sender_id, code=code, q=q)


@router.get("/export", operation_id="export_logs", response_class=Response, responses=_FILES)
@concerns(exists("campaign_id", "campaign_existed", "campaign"))
async def export_logs(
    campaign_id: int,
    request: Request,
    caller: Annotated[Caller, caller_with("logs:read")],
    parts: FromParts,
    wanted: Annotated[LogFilter, Depends(_filter)],
    output: Annotated[
        Format, Query(alias="format", description="`parquet` needs an extra of the server's installation.")
    ] = "csv",
) -> Response:
    """All rows that are there now, in the order they were made, as one file; also of a deleted campaign.

    `csv` has a column for each field, `error` as `error_code` and `error_message`, and a quote in front of texts that a
    spreadsheet would run as formulas. `ndjson` has a row of the logs a line. With `Accept-Encoding: gzip` both come
    compressed. A client that stands still is cut off.
    """
    export = Wanted(caller, campaign_id, output, wanted)
    extent = await parts.exports.extent(export)
    if extent is None:
        raise not_found("campaign")
    if problems := {name: [_ELSEWHERE] for name in _OF_PAGES if name in request.query_params}:
        raise invalid(problems)
    is_gzip = output != "parquet" and accepts_gzip(request.headers.get("accept-encoding", ""))
    file = await _file(output, is_gzip=is_gzip)
    send_seconds = parts.settings.export_send_seconds
    return ExportResponse(parts.exports, export, extent, file, is_gzip=is_gzip, send_seconds=send_seconds)


async def _file(output: Format, *, is_gzip: bool) -> ExportFile:
    if output != "parquet":
        return GzipFile() if is_gzip else PlainFile()
    try:
        return await parquet_file()
    except NoParquetError:
        raise invalid({"format": [_NO_PARQUET]}) from None


_ELSEWHERE = "is for pages of the log; an export has all rows"
_NO_PARQUET = "can not be parquet here: the api was installed without the extra relaygram-api[parquet]"
