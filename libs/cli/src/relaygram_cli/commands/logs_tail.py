"""``relaygram logs tail``: a campaign's log live, until Ctrl-C."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import TYPE_CHECKING, Annotated, Any

import typer

from relaygram_cli.asking import ask
from relaygram_cli.commands.log_options import OfCode, OfContact, OfStatus, WithText
from relaygram_cli.options import CampaignId, Json
from relaygram_cli.output import as_text, note, print_json_line, print_line
from relaygram_cli.plain_text import one_line

if TYPE_CHECKING:
    from relaygram_client import LogRow, Relaygram
    from relaygram_client.logs import StateFilter


def tail(
    campaign: CampaignId,
    status: OfStatus = None,
    code: OfCode = None,
    contact: OfContact = None,
    q: WithText = None,
    last: Annotated[int, typer.Option("--last", "-n", min=0, max=200, help="Begin with so many.")] = 10,
    since_revision: Annotated[
        int | None, typer.Option(min=0, help="Begin after this revision instead; 0 is everything.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Follow messages live as they are made and whenever they change, until Ctrl-C; as JSON one object a line."""
    wanted: StateFilter = {"status": status, "code": code, "sender_id": contact, "q": q}
    if sys.stdout.isatty():
        note(f"Campaign {campaign}, live. Ctrl-C ends it.")
    ask(lambda r: _follow(r, campaign, wanted, last=last, since_revision=since_revision, as_json=as_json))


async def _follow(
    relaygram: "Relaygram",
    campaign_id: int,
    wanted: "StateFilter",
    *,
    last: int,
    since_revision: int | None,
    as_json: bool,
) -> None:
    shown: dict[int, int] = {}  # revisions of the rows at the beginning: what changed meanwhile comes below
    opened = asyncio.Event()
    stream = relaygram.logs.stream(campaign_id, changed_since=since_revision, on_open=lambda _: opened.set())
    async with aclosing(stream):
        first = asyncio.ensure_future(anext(stream))
        try:
            await _either(first, opened)
            if since_revision is None:
                for row in await _newest(relaygram, campaign_id, wanted, last):
                    shown[row.id] = row.revision
                    _print_row(row, as_json=as_json)
            async for row in _all(first, stream):
                if row.revision > shown.get(row.id, 0) and _matches(row, wanted):
                    _print_row(row, as_json=as_json)
        finally:
            first.cancel()


async def _either(first: "asyncio.Future[LogRow]", opened: asyncio.Event) -> None:
    """The stream is there, or will not be. From then on nothing is missed."""
    opening = asyncio.ensure_future(opened.wait())
    either: tuple[asyncio.Future[Any], ...] = (first, opening)
    await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    opening.cancel()
    if first.done():
        first.result()


async def _newest(relaygram: "Relaygram", campaign_id: int, wanted: "StateFilter", last: int) -> "list[LogRow]":
    rows: list[LogRow] = []
    if last:
        async for row in relaygram.logs.list(campaign_id, **wanted, order="desc"):
            rows.insert(0, row)
            if len(rows) == last:
                break
    return rows


async def _all(first: "asyncio.Future[LogRow]", stream: "AsyncIterator[LogRow]") -> "AsyncIterator[LogRow]":
    yield await first
    async for row in stream:
        yield row


def _matches(row: "LogRow", wanted: "StateFilter") -> bool:
    """The stream has no filters: it must tell when a row leaves them, too."""
    status, code, contact, q = wanted.get("status"), wanted.get("code"), wanted.get("sender_id"), wanted.get("q")
    return (
        (status is None or row.status == status)
        and (code is None or (row.error is not None and row.error.code == code))
        and (contact is None or row.sender_id == contact)
        and (q is None or q.casefold() in (row.body or "").casefold())
    )


def _print_row(row: "LogRow", *, as_json: bool) -> None:
    if as_json:
        print_json_line(row.as_json())
        return
    contact = [] if row.sender_id is None else [f"to {row.sender_id}"]
    said = f"{row.error.code}: {row.error.message}" if row.error else row.body or ""
    about = " ".join([as_text(row.created_at), f"#{row.id}", *contact])
    print_line(one_line(about), (row.status, "status"), one_line(said))
