"""``relaygram contacts import``: upload a CSV file, watch the import, show what was not taken and why."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from relaygram_cli.asking import ask
from relaygram_cli.errors import CommandError
from relaygram_cli.options import CampaignId, Json
from relaygram_cli.output import note, print_json, print_table

if TYPE_CHECKING:
    from rich.progress import Progress

    from relaygram_client import Import, ImportedLineError, Relaygram

_SHOWN = 10
_PIECE_BYTES = 256 * 1024


def import_contacts(
    campaign: CampaignId,
    file: Annotated[Path, typer.Argument(allow_dash=True, help="CSV in UTF-8; - is standard input.")],
    errors: Annotated[Path | None, typer.Option(help="File to write every rejected line to, as CSV.")] = None,
    as_json: Json = False,
) -> None:
    """Add the people of a CSV file: a header with any of handle, telegram_user_id, phone, then columns of your own."""
    size = _checked_size(file, errors)
    done, rejected = ask(lambda r: _imported(r, campaign, file, size, errors))
    if as_json:
        print_json({**done.as_json(), "errors": [line.as_json() for line in rejected]})
        return
    said = f"{done.received} lines: {done.accepted} accepted, {done.duplicates} duplicates, {done.rejected} rejected"
    note(f"Import {done.id}: {said}.")
    if rejected:
        columns = [("line", "number"), ("column", "text"), ("value", "text"), ("reason", "text")]
        print_table(columns, [[line.line, line.column, line.value, line.reason] for line in rejected])
    if done.rejected and errors is not None:
        note(f"All of them are in {errors}.")
    elif done.rejected > len(rejected):
        note(f"These are the first {len(rejected)}; --errors FILE writes them all.")


def _checked_size(file: Path, errors: Path | None) -> int | None:
    """Bytes of the file, None of standard input. Raises CommandError before anything is uploaded."""
    if errors is not None and not errors.absolute().parent.is_dir():
        raise CommandError(f"cannot write {errors}: there is no folder {errors.absolute().parent}")
    if str(file) == "-":
        return None
    if not file.is_file():
        raise CommandError(f"there is no file {file}")
    return file.stat().st_size


async def _imported(
    relaygram: "Relaygram", campaign_id: int, file: Path, size: int | None, errors: Path | None
) -> "tuple[Import, list[ImportedLineError]]":
    with _progress() as progress:
        upload = progress.add_task("uploading", total=size)
        source = _standard_input() if size is None else file
        begun = await relaygram.contacts.import_csv(
            campaign_id, source, on_progress=lambda sent: progress.update(upload, completed=sent)
        )
        progress.update(upload, description=f"import {begun.id} is at work", total=None)

        def watch(found: "Import") -> None:
            progress.update(upload, description=f"import {found.id}: {found.received} lines read")

        done = await relaygram.imports.wait(begun.id, on_progress=watch)
    if done.rejected and errors is not None:
        await _save_errors(relaygram, done.id, errors)
    first = (await relaygram.imports.errors(done.id).page()).things[:_SHOWN] if done.rejected else []
    return done, first


async def _save_errors(relaygram: "Relaygram", import_id: int, path: Path) -> None:
    try:
        with path.open("wb") as file:
            async with relaygram.imports.errors_csv(import_id) as pieces:
                async for piece in pieces:
                    file.write(piece)
    except OSError as error:
        raise CommandError(f"cannot write {path}: {error.strerror}") from error


async def _standard_input() -> AsyncIterator[bytes]:
    import asyncio

    while piece := await asyncio.to_thread(sys.stdin.buffer.read, _PIECE_BYTES):
        yield piece


def _progress() -> "Progress":
    """On standard error and only where somebody looks."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
        disable=not sys.stderr.isatty(),
    )
