"""``relaygram logs``: what became of every message."""

import sys
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

import typer

from relaygram_cli.asking import ask
from relaygram_cli.options import CampaignId, Json, Limit
from relaygram_cli.output import Column, as_text, print_json_line, print_things, taken
from relaygram_cli.plain_text import one_line

if TYPE_CHECKING:
    from relaygram_client import LogRow, Relaygram
    from relaygram_client.logs import StateFilter

app = typer.Typer(no_args_is_help=True, help="What became of every message.")
_COLUMNS: "list[Column[LogRow]]" = [
    Column("id", lambda row: row.id, "number"),
    Column("made", lambda row: row.created_at),
    Column("contact", lambda row: row.sender_id, "number"),
    Column("status", lambda row: row.status, "status"),
    Column("error", lambda row: row.error.code if row.error else None),
    Column("sent", lambda row: row.sent_at),
    Column("text", lambda row: row.body, "text"),
]
_Status = Annotated[Literal["sent", "failed", "pending"] | None, typer.Option(help="Only these.")]
_Code = Annotated[str | None, typer.Option(help="Only failures with this code, like PEER_FLOOD.")]
_Contact = Annotated[int | None, typer.Option(min=1, help="Only this contact.")]
_Search = Annotated[str | None, typer.Option("--search", "-q", help="Part of the text.")]


class _Following(NamedTuple):
    last: int
    seconds: float
    changes: bool


@app.command("list")
def list_logs(
    campaign: CampaignId,
    status: _Status = None,
    code: _Code = None,
    contact: _Contact = None,
    q: _Search = None,
    newest: Annotated[bool, typer.Option("--newest", help="Newest first.")] = False,
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """List messages in the order they were made; also of a deleted campaign."""
    wanted: StateFilter = {"status": status, "code": code, "sender_id": contact, "q": q}
    found = ask(lambda r: taken(r.logs.list(campaign, **wanted, order="desc" if newest else "asc"), limit))
    print_things(found, _COLUMNS, as_json=as_json, nothing="There are no such messages.")


@app.command()
def tail(
    campaign: CampaignId,
    status: _Status = None,
    code: _Code = None,
    contact: _Contact = None,
    q: _Search = None,
    last: Annotated[int, typer.Option("--last", "-n", min=0, max=200, help="Begin with so many.")] = 10,
    changes: Annotated[bool, typer.Option("--changes", help="Show a message again when it changes.")] = False,
    seconds: Annotated[float, typer.Option(min=0.1, max=3600, help="How often to look.")] = 1.0,
    as_json: Json = False,
) -> None:
    """Follow messages as they are made, until Ctrl-C; as JSON one object a line."""
    wanted: StateFilter = {"status": status, "code": code, "sender_id": contact, "q": q}
    ask(lambda r: _follow(r, campaign, wanted, _Following(last, seconds, changes), as_json=as_json))


async def _follow(
    relaygram: "Relaygram", campaign_id: int, wanted: "StateFilter", how: _Following, *, as_json: bool
) -> None:
    newest = (await relaygram.logs.list(campaign_id, order="desc").page()).things[:1]
    since_id, revision = (newest[0].id, newest[0].revision) if newest else (0, 0)
    earlier: list[LogRow] = []
    async for row in relaygram.logs.list(campaign_id, **wanted, order="desc"):
        if len(earlier) == how.last:
            break
        if row.id <= since_id:  # what was made meanwhile comes below
            earlier.append(row)
    for row in reversed(earlier):
        _print_row(row, as_json=as_json)
    async for row in _rows(relaygram, campaign_id, wanted, how, since_id, revision):
        _print_row(row, as_json=as_json)


def _rows(
    relaygram: "Relaygram", campaign_id: int, wanted: "StateFilter", how: _Following, since_id: int, revision: int
) -> "AsyncGenerator[LogRow, None]":
    if how.changes or wanted.get("status") or wanted.get("code"):
        # A row that is made pending would never come again by its id when it is sent or fails.
        return relaygram.logs.tail_changes(campaign_id, changed_since=revision, poll_seconds=how.seconds, **wanted)
    return relaygram.logs.tail(
        campaign_id,
        since_id=since_id,
        poll_seconds=how.seconds,
        sender_id=wanted.get("sender_id"),
        q=wanted.get("q"),
    )


def _print_row(row: "LogRow", *, as_json: bool) -> None:
    if as_json:
        print_json_line(row.as_json())
        return
    contact = "" if row.sender_id is None else f"to {row.sender_id}"
    error = f"{row.error.code}: {row.error.message}" if row.error else row.body or ""
    sys.stdout.write(one_line(f"{as_text(row.created_at)} #{row.id} {contact} {row.status} {error}") + "\n")
    sys.stdout.flush()
