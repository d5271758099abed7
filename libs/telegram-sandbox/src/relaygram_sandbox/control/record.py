"""Routes about what happened: the record of accepted messages, the wire log, the counters."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query
from fastapi.responses import JSONResponse, Response, StreamingResponse

from relaygram_sandbox import clock
from relaygram_sandbox.control.access import Running, Sandbox
from relaygram_sandbox.world.account import Message

router = APIRouter(tags=["record"])
_NDJSON = "application/x-ndjson"
_PAGE = 1000
_MAX_INTEGER = 2**63 - 1

After = Annotated[int, Query(ge=0, le=_MAX_INTEGER)]
Limit = Annotated[int | None, Query(ge=1, le=10_000)]
MaybeId = Annotated[int | None, Query(ge=1, le=_MAX_INTEGER)]
_DEFAULT_LIMIT = 100

# A message is shown with the ids of the account: the sender's of an outbound one, the recipient's of an inbound one.
_SELECT = """
SELECT m.*, CASE WHEN (m.direction = 'outbound') = (r.from_id = m.from_id)
                 THEN r.from_message_id ELSE r.to_message_id END
FROM messages m LEFT JOIN messages r ON r.seq = m.reply_to
WHERE m.seq > ?1 AND (?2 IS NULL OR m.from_id = ?2) AND (?3 IS NULL OR m.to_id = ?3)
ORDER BY m.seq LIMIT ?4
"""


def message_as_json(message: Message, reply_to: int | None) -> dict[str, Any]:
    """One message of the record as the control plane shows it."""
    is_outbound = message.direction == "outbound"
    return {
        "seq": message.seq,
        "id": message.from_message_id if is_outbound else message.to_message_id,
        "from_id": message.from_id,
        "to_id": message.to_id,
        "random_id": message.random_id,
        "text": message.text,
        "media": _media_as_json(message.media),
        "reply_to": reply_to,
        "date": clock.as_iso(message.date),
        "direction": message.direction,
    }


def _media_as_json(media: str | None) -> dict[str, Any] | None:
    if media is None:
        return None
    shown: dict[str, Any] = json.loads(media)
    del shown["file_id"]
    return shown


def _page(sandbox: Sandbox, after: int, from_id: int | None, to_id: int | None, limit: int) -> list[dict[str, Any]]:
    sandbox.commit()  # what is shown must not be forgotten by a kill
    rows = sandbox.telegram.world.store.rows(_SELECT, after, from_id, to_id, limit)
    return [message_as_json(Message(*row[:-1]), row[-1]) for row in rows]


@router.get("/messages", response_model=None)
async def list_messages(
    sandbox: Running,
    from_id: MaybeId = None,
    to_id: MaybeId = None,
    after: After = 0,
    limit: Limit = None,
    accept: Annotated[str, Header()] = "",
) -> Response:
    """Accepted messages in order. With `Accept: application/x-ndjson` all of them, one to a line."""
    if _NDJSON in accept:
        lines = _lines(sandbox, after, from_id, to_id, limit)
        return StreamingResponse(lines, media_type=_NDJSON)
    return JSONResponse(_page(sandbox, after, from_id, to_id, limit or _DEFAULT_LIMIT))


async def _lines(
    sandbox: Sandbox, after: int, from_id: int | None, to_id: int | None, limit: int | None
) -> AsyncIterator[str]:
    left = limit if limit is not None else _MAX_INTEGER
    while left > 0:
        page = _page(sandbox, after, from_id, to_id, min(left, _PAGE))
        if not page:
            return
        yield "".join(json.dumps(message) + "\n" for message in page)
        after, left = page[-1]["seq"], left - len(page)
        await asyncio.sleep(0)  # a long record must not hold up the clients


@router.get("/wire")
async def list_wire(sandbox: Running, after: After = 0, limit: Limit = None) -> JSONResponse:
    """Every attempt that arrived, accepted or not."""
    sandbox.commit()
    rows = sandbox.telegram.world.store.rows(
        "SELECT seq, method, account_id, random_id, outcome, error, date FROM wire WHERE seq > ? ORDER BY seq LIMIT ?",
        after,
        limit or _DEFAULT_LIMIT,
    )
    names = ("seq", "method", "account_id", "random_id", "outcome", "error")
    return JSONResponse([{**dict(zip(names, row[:6], strict=True)), "date": clock.as_iso(row[6])} for row in rows])


@router.get("/stats")
async def read_statistics(sandbox: Running) -> dict[str, Any]:
    """Counters of messages, and how fast each account sent."""
    sandbox.commit()
    telegram = sandbox.telegram
    return telegram.world.statistics.as_json(len(telegram.server.connections))
