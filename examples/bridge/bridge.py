"""A bridge: puts what an SMS gateway reports about its messages into Relaygram's log.

The gateway is answered when Relaygram has taken its report: so a crash loses nothing, the gateway reports again.
"""

import asyncio
import hmac
import json
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid5

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from relaygram_client import Relaygram

CHANNEL = os.environ.get("BRIDGE_CHANNEL", "sms")
SECRET = os.environ.get("BRIDGE_SECRET", "")
# A hundred of the largest reports stay below the 1 MiB that Relaygram takes at once.
MOST_BYTES, MOST_AT_ONCE, MOST_WAITING, ANSWER_SECONDS = 8 * 1024, 100, 1000, 15.0
# The gateway's ids are texts, Relaygram's are UUIDs; the same text must always give the same one, so never change this.
MESSAGES = UUID("0d4f3b8c-6c5a-4b0e-9a41-5b1f2c7d8e90")
WORDS = {"at": "occurred_at", "submittedAt": "queued_at", "from": "sender", "to": "destination", "text": "body",
         "clientReference": "reference", "price": "price"}  # fmt: skip
STATES = {"ACCEPTED": "queued", "SENT": "sent", "DELIVERED": "delivered", "READ": "read", "EXPIRED": "expired",
          "UNDELIVERABLE": "failed", "REJECTED": "failed"}  # fmt: skip


def event_of(report: dict[str, Any]) -> dict[str, Any]:
    """One report of the gateway in Relaygram's words. Raises AttributeError, KeyError, TypeError or ValueError."""
    event = {ours: report.get(theirs) for theirs, ours in WORDS.items()}
    event |= {"job_id": str(uuid5(MESSAGES, f"{CHANNEL}/{report['id']}")), "channel": CHANNEL}
    event |= {"state": STATES[report["status"]], "attempt": 1}
    if code := report.get("errorCode"):
        event["error"] = {"code": str(code), "message": str(report.get("errorText"))}
    json.dumps(event, ensure_ascii=False).encode()  # half an emoji has no place in UTF-8, and would cost a whole batch
    return event


class Batches:
    """Hands events over, as many at a time as have come meanwhile."""

    def __init__(self, relaygram: Relaygram) -> None:
        self._relaygram = relaygram
        self._waiting: asyncio.Queue[tuple[dict[str, Any], asyncio.Future[bool]]] = asyncio.Queue(MOST_WAITING)

    def add(self, event: dict[str, Any]) -> asyncio.Future[bool]:
        """Becomes whether Relaygram has answered for the event. Raises QueueFull."""
        answered = asyncio.get_running_loop().create_future()
        self._waiting.put_nowait((event, answered))
        return answered

    async def run(self) -> None:
        """Hand over until cancelled."""
        while True:
            batch = [await self._waiting.get()]
            while len(batch) < MOST_AT_ONCE and not self._waiting.empty():
                batch.append(self._waiting.get_nowait())
            is_done = await self._hand_over([event for event, _ in batch])
            for _, answered in batch:
                if not answered.done():  # who waited too long has gone
                    answered.set_result(is_done)

    async def _hand_over(self, events: list[dict[str, Any]]) -> bool:
        try:
            done = await self._relaygram.delivery_events.add(events)  # tries again by itself, with a limit
        except Exception as error:  # noqa: BLE001 - whatever it was, the gateway reports again
            logging.warning("%d events not handed over: %s", len(events), error)
            return False
        for one in done.rejected:  # never better when sent again: somebody must look at event_of()
            logging.error("rejected message %s: %s", events[one.index]["job_id"], one.reason)
        return True


async def take_report(request: Request) -> Response:
    """One report: 200 when Relaygram has it, 503 when it should be sent again."""
    if not hmac.compare_digest(request.headers.get("x-bridge-secret", "").encode(), SECRET.encode()):
        return Response(status_code=401)
    body = b""
    async for piece in request.stream():
        if len(body := body + piece) > MOST_BYTES:
            return Response(status_code=413)
    try:
        event = event_of(json.loads(body))
        async with asyncio.timeout(ANSWER_SECONDS):
            is_done = await request.app.state.batches.add(event)
    except (asyncio.QueueFull, TimeoutError):
        is_done = False
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        return Response(f"not a report: {error!r}\n".encode(errors="replace"), status_code=400)
    return Response(status_code=200) if is_done else Response(status_code=503, headers={"Retry-After": "5"})


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    """Begins before the first request, and ends when the last is answered."""
    url, token = os.environ["RELAYGRAM_API_URL"], os.environ["RELAYGRAM_API_TOKEN"]
    async with Relaygram(url, token, timeout_seconds=5, attempts=3) as relaygram:
        app.state.batches = Batches(relaygram)
        running = asyncio.create_task(app.state.batches.run())
        yield
        running.cancel()


if __name__ == "__main__":
    if len(SECRET) < 16:
        sys.exit("set BRIDGE_SECRET (at least 16 characters), RELAYGRAM_API_URL and RELAYGRAM_API_TOKEN")
    for ending in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ending, lambda *_: sys.exit(0))  # uvicorn ends in order first, then raises the signal again
    app = Starlette(routes=[Route("/reports", take_report, methods=["POST"])], lifespan=lifespan)
    uvicorn.run(app, port=int(os.environ.get("BRIDGE_PORT", "8090")), log_level="warning", timeout_graceful_shutdown=20)
