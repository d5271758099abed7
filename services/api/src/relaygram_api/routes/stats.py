"""How a campaign goes."""

from typing import Annotated

from fastapi import APIRouter, Response

from relaygram_api.adapters import pg_stats, pg_steps
from relaygram_api.answers import answer, seconds
from relaygram_api.campaign_view import shown_campaign
from relaygram_api.checked_route import PREFIX, CheckedRoute, caller_with
from relaygram_api.core.stats import estimated_end, last_hour, sent_last_minute
from relaygram_api.parts import Caller, FromParts
from relaygram_api.routes.campaigns import demand
from relaygram_api.schemas.envelopes import One
from relaygram_api.schemas.stats import CampaignStats
from relaygram_api.things import now as clock

router = APIRouter(prefix=PREFIX + "/campaigns/{campaign_id:id}", route_class=CheckedRoute, tags=["Campaigns"])


@router.get("/stats", operation_id="get_campaign_stats", response_model=One[CampaignStats])
async def get_campaign_stats(
    campaign_id: int, caller: Annotated[Caller, caller_with("campaigns:read")], parts: FromParts
) -> Response:
    """Counts, codes of failures, speed and estimated end: all from counters, so it costs the same at any size."""
    now = clock()
    async with parts.database.workspace(caller.workspace_id) as connection:
        row = await demand(connection, campaign_id)
        codes = await pg_stats.codes(connection, campaign_id)
        sent = await pg_stats.minutes(connection, campaign_id, now)
        steps = await pg_steps.of_campaign(connection, campaign_id)
    shown = shown_campaign(row)
    # How long a sequence takes, its delays say and people's replies.
    is_one_message = sum(1 + len(step.followups) for step in steps) <= 1
    ends = row["status"] == "running" and row["mode"] == "broadcast" and is_one_message
    end = estimated_end(shown["pending_count"], sent, started_at=row["started_at"], now=now) if ends else None
    return answer(
        {
            "campaign_id": campaign_id,
            "counts": {
                "total_contacts": shown["total_contacts"],
                "pending": shown["pending_count"],
                "sent": shown["sent_count"],
                "failed": shown["failed_count"],
                "read": shown["read_count"],
                "replied": shown["reply_count"],
            },
            "codes": [{"code": code, "count": count} for code, count in codes],
            "sent_last_minute": sent_last_minute(sent, now),
            "estimated_end_at": seconds(end),
            "sent_per_minute": [{"minute": seconds(minute), "sent": count} for minute, count in last_hour(sent, now)],
        }
    )
