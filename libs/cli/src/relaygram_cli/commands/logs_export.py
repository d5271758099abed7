"""``relaygram logs export``: a campaign's log as a file."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from relaygram_cli.asking import ask
from relaygram_cli.commands.log_options import OfCode, OfContact, OfStatus, WithText
from relaygram_cli.errors import CommandError
from relaygram_cli.export_progress import ExportProgress, counter_of
from relaygram_cli.options import CampaignId
from relaygram_cli.output import note

if TYPE_CHECKING:
    from relaygram_client import Relaygram
    from relaygram_client.log_export import ExportFormat
    from relaygram_client.logs import ExportFilter


def export(
    campaign: CampaignId,
    output: Annotated[Path, typer.Option("--output", "-o", allow_dash=True, help="The file; - is standard output.")],
    output_format: Annotated[Literal["csv", "ndjson", "parquet"], typer.Option("--format", help="What it is.")] = "csv",
    compressed: Annotated[bool, typer.Option("--gzip", help="Compress it; not for parquet.")] = False,
    status: OfStatus = None,
    code: OfCode = None,
    contact: OfContact = None,
    q: WithText = None,
    since: Annotated[str | None, typer.Option(help="Only messages made after this ISO 8601 time.")] = None,
    since_id: Annotated[int | None, typer.Option(min=0, help="Only messages with a greater id.")] = None,
) -> None:
    """Write the log to a file, which is there only when it is whole; also of a deleted campaign."""
    _check(output, output_format, compressed=compressed)
    wanted: ExportFilter = {
        "status": status, "code": code, "sender_id": contact, "q": q, "since": since, "since_id": since_id,
    }  # fmt: skip
    try:
        rows = ask(lambda r: _exported(r, campaign, output, output_format, compressed=compressed, wanted=wanted))
    except BrokenPipeError:
        # Who reads standard output has enough. What is still to be written when Python ends goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(1) from None
    except OSError as error:
        raise CommandError(f"cannot write {output}: {error.strerror or error}") from error
    if not _is_stdout(output):
        counted = "" if rows is None else "1 message, " if rows == 1 else f"{rows} messages, "
        note(f"{output}: {counted}{output.stat().st_size} bytes")


def _check(output: Path, output_format: str, *, compressed: bool) -> None:
    """What can be known before anything is asked. Raises CommandError or BadParameter."""
    if compressed and output_format == "parquet":
        raise typer.BadParameter("a parquet file is compressed already", param_hint="--gzip")
    if _is_stdout(output):
        if sys.stdout.isatty() and (compressed or output_format == "parquet"):
            raise CommandError("this is no text to be shown on a terminal", what_to_do="give a file with --output")
    elif output.is_dir():
        raise CommandError(f"cannot write {output}: it is a folder")
    elif not output.absolute().parent.is_dir():
        raise CommandError(f"cannot write {output}: there is no folder {output.absolute().parent}")


async def _exported(
    relaygram: "Relaygram",
    campaign_id: int,
    output: Path,
    output_format: "ExportFormat",
    *,
    compressed: bool,
    wanted: "ExportFilter",
) -> int | None:
    """How many rows; None where they can not be counted on their way."""
    counter = None if compressed else counter_of(output_format)
    with ExportProgress(counter) as progress:
        if progress.is_shown and counter is not None:
            pagination = (await relaygram.logs.list(campaign_id, **wanted).page()).pagination
            progress.expect(None if pagination is None or pagination.total_is_capped else pagination.total)
        if not _is_stdout(output):
            await relaygram.logs.export_file(
                campaign_id, output, format=output_format, gzip=compressed, on_piece=progress.came, **wanted
            )
        else:
            async with relaygram.logs.export(campaign_id, format=output_format, gzip=compressed, **wanted) as pieces:
                async for piece in pieces:
                    sys.stdout.buffer.write(piece)
                    progress.came(piece)
                sys.stdout.buffer.flush()
    return None if counter is None else counter.rows


def _is_stdout(output: Path) -> bool:
    return str(output) == "-"
