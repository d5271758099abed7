"""``relaygram media``: photos and files that messages carry."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from relaygram_cli.asking import ask
from relaygram_cli.errors import CommandError
from relaygram_cli.options import Json
from relaygram_cli.output import Column, print_thing

if TYPE_CHECKING:
    from relaygram_client import MediaFile, Relaygram

app = typer.Typer(no_args_is_help=True, help="Photos and files that messages carry.")
_FIELDS: "list[Column[MediaFile]]" = [
    Column("id", lambda m: m.id),
    Column("kind", lambda m: m.kind),
    Column("type", lambda m: m.mime_type),
    Column("name", lambda m: m.file_name),
    Column("bytes", lambda m: m.size_bytes),
    Column("SHA-256", lambda m: m.sha256),
    Column("added", lambda m: m.created_at),
]


@app.command()
def add(
    source: Annotated[str, typer.Argument(metavar="FILE|URL", help="A file, or a public address to fetch it from.")],
    kind: Annotated[Literal["photo", "document"] | None, typer.Option(help="Else JPEG and PNG go as a photo.")] = None,
    name: Annotated[str | None, typer.Option(help="As receivers see it; else the file's own.")] = None,
    as_json: Json = False,
) -> None:
    """Add a photo or file. Its number goes into --attach of a campaign, or into a step."""

    async def added(relaygram: "Relaygram") -> "MediaFile":
        if source.startswith(("http://", "https://")):
            return await relaygram.media.add_by_url(source, kind=kind, file_name=name)
        return await relaygram.media.add(Path(source), kind=kind, file_name=name)

    try:
        made = ask(added)
    except OSError as error:
        raise CommandError(f"cannot read {source}: {error.strerror or error}") from error
    print_thing(made, _FIELDS, as_json=as_json)


@app.command()
def show(
    media: Annotated[int, typer.Argument(metavar="MEDIA", min=1, help="Number of the photo or file.")],
    as_json: Json = False,
) -> None:
    """Show what is known of one."""
    print_thing(ask(lambda r: r.media.get(media)), _FIELDS, as_json=as_json)
