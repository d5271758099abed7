"""Delivery events of other channels, so that one log serves all."""

import asyncio
from dataclasses import asdict
from typing import Annotated, Any, Final

from fastapi import APIRouter, Response
from pydantic import Field, ValidatorFunctionWrapHandler, WrapValidator

from relaygram_api.adapters import pg_delivery_events
from relaygram_api.change import changing
from relaygram_api.checked_route import PREFIX, CheckedRoute, caller_with, finds_nul_itself
from relaygram_api.errors import unavailable
from relaygram_api.fields import Body
from relaygram_api.given_events import MOST_EVENTS, DeliveryEventGiven, sort_out
from relaygram_api.parts import Caller, FromParts
from relaygram_api.schemas.delivery_events import TakenEvents
from relaygram_api.schemas.envelopes import One
from relaygram_api.things import now

router = APIRouter(prefix=f"{PREFIX}/delivery-events", route_class=CheckedRoute, tags=["Other channels"])
# While NATS is away all that is taken rests in PostgreSQL: about a gigabyte of it.
_MOST_WAITING: Final = 1_000_000


def _checked_later(value: Any, _check: ValidatorFunctionWrapHandler) -> Any:
    """Any JSON for now, documented as what it should be: a bad event does not cost the good ones beside it."""
    return value


class DeliveryEventsGiven(Body):
    """Events in any order."""

    events: Annotated[
        list[Annotated[DeliveryEventGiven, WrapValidator(_checked_later)]],
        Field(min_length=1, max_length=MOST_EVENTS, description="Each is taken, or rejected, by itself."),
    ]


@router.post("", operation_id="take_delivery_events", status_code=202, response_model=One[TakenEvents])
@finds_nul_itself
async def take_delivery_events(
    body: DeliveryEventsGiven, caller: Annotated[Caller, caller_with("events:write")], parts: FromParts
) -> Response:
    """Put what happened on other channels into the log: delivery events of your other gateways.

    They become events on NATS and rows of the workspace's log, in `GET /messenger/1/logs` and the like. Sending an
    event again is harmless: it is the same by `job_id`, `state` and `attempt`, and counted as a duplicate. Of an event
    that stands there twice the first counts.
    """
    # In a thread: a thousand events take some 50 ms, in which others would not be answered.
    batch = await asyncio.to_thread(sort_out, body.events, workspace_id=caller.workspace_id, now=now())
    async with changing(parts, caller) as change:
        if await pg_delivery_events.waiting(change.connection) > _MOST_WAITING:
            raise unavailable("Too many events wait to be passed on. Try again.")
        accepted = await pg_delivery_events.take(change.connection, caller.workspace_id, batch.events.values())
        duplicates = len(body.events) - len(batch.rejected) - accepted
        rejected = [asdict(one) for one in batch.rejected]
        return change.answer({"accepted": accepted, "duplicates": duplicates, "rejected": rejected}, status=202)
