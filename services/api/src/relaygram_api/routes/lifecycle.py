"""The life of campaigns: start, pause, stop."""

from typing import Annotated, Any

from fastapi import APIRouter, Response

from relaygram_api.adapters import pg_campaigns, pg_steps
from relaygram_api.campaign_view import shown_campaign
from relaygram_api.change import changing
from relaygram_api.checked_route import PREFIX, CheckedRoute, caller_with
from relaygram_api.core.campaign_rules import refusal, unknown_token_problems
from relaygram_api.errors import conflict, invalid
from relaygram_api.parts import Caller, FromParts, Parts
from relaygram_api.preconditions import Expected, IfMatch, tagged
from relaygram_api.routes.campaigns import MAY_CONFLICT, demand, lock_as_expected
from relaygram_api.schemas.campaigns import Campaign
from relaygram_api.schemas.envelopes import One

router = APIRouter(prefix=PREFIX + "/campaigns/{campaign_id:id}", route_class=CheckedRoute, tags=["Campaigns"])
_ANSWERS: dict[str, Any] = {"response_model": One[Campaign], "responses": MAY_CONFLICT}

Controller = Annotated[Caller, caller_with("campaigns:control")]


@router.post("/start", operation_id="start_campaign", **_ANSWERS)
async def start_campaign(campaign_id: int, caller: Controller, parts: FromParts, expected: Expected) -> Response:
    """Start or resume, now, whatever its schedule; on a running campaign nothing happens.

    Its texts may ask for nothing that its contacts' imports did not bring.
    While its Telegram account is down it is `paused` with `status_reason` `account_down`, and goes on by itself.
    """
    return await _move(campaign_id, "start", caller, parts, expected)


@router.post("/pause", operation_id="pause_campaign", **_ANSWERS)
async def pause_campaign(campaign_id: int, caller: Controller, parts: FromParts, expected: Expected) -> Response:
    """Halt queued sends until the next start; inbound messages wait too."""
    return await _move(campaign_id, "pause", caller, parts, expected)


@router.post("/stop", operation_id="stop_campaign", **_ANSWERS)
async def stop_campaign(campaign_id: int, caller: Controller, parts: FromParts, expected: Expected) -> Response:
    """End it for good; queued sends are discarded."""
    return await _move(campaign_id, "stop", caller, parts, expected)


async def _move(campaign_id: int, action: str, caller: Caller, parts: Parts, expected: IfMatch) -> Response:
    async with changing(parts, caller) as change:
        connection = change.connection
        old = await lock_as_expected(connection, campaign_id, expected)
        outcome = await pg_campaigns.transition(connection, caller.workspace_id, campaign_id, action, caller.actor)
        match outcome:
            case "refused":
                raise conflict("transition_refused", refusal(action, old["status"]))
            case "import_running":
                raise conflict("import_running", "An import of contacts is under way; start when it is completed.")
            case "no_contacts":
                raise invalid({"contacts": ["a broadcast needs at least one contact"]}, code="no_contacts")
            case "unknown_tokens":
                steps = await pg_steps.of_campaign(connection, campaign_id)
                raise invalid(unknown_token_problems(old, steps), code="unknown_tokens")
        row = await demand(connection, campaign_id)
        return tagged(change.answer(shown_campaign(row)), row["version"])
