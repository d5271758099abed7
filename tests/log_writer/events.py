"""Delivery events for these tests, and the log as PostgreSQL holds it."""

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg

from relaygram_common.contracts.delivery import DeliveryError, DeliveryEvent, delivery_event
from relaygram_common.contracts.states import RANKS, MessageState

T0 = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=3)  # lately: old receipts are not kept
_campaigns = itertools.count(1000)

# Sums over the rows, which the counters must equal at all times.
_COUNTED = """
select coalesce(max(position), 0) as last_position, count(*) filter (where status = 'pending') as pending,
       count(*) filter (where status = 'sent') as sent, count(*) filter (where status = 'failed') as failed,
       count(*) filter (where rank >= 6) as read, count(*) filter (where rank = 7) as replied,
       coalesce(max(revision), 0) as last_revision, count(*) as rows, count(distinct position) as positions
  from delivery.messages where campaign_id = $1"""


def new_campaign() -> int:
    """A campaign id no other test uses."""
    return next(_campaigns)


def event(
    state: str, *, campaign: int | None, job: UUID | None = None, attempt: int = 1, seconds: float = 0.0, **fields: Any
) -> DeliveryEvent:
    """An event with the whole row, as the dispatcher and the gateway publish it."""
    failed = RANKS.get(MessageState(state)) in (2, 3)
    error = DeliveryError(code="USER_PRIVACY", message="The person's privacy settings refuse it.") if failed else None
    values: dict[str, Any] = {
        "workspace_id": 1,
        "account_id": 3,
        "sender_id": 11,
        "run_id": 5,
        "sender": "@shop",
        "destination": "@ann",
        "step": 0,
        "trigger": "broadcast",
        "body": "Hello",
        "content_type": "text",
        "queued_at": T0,
        "telegram_message_id": 77 if RANKS.get(MessageState(state), 0) >= 4 else None,
        "error": error,
        "reference": "spring",
        **fields,
    }
    return delivery_event(
        job=job or uuid4(),
        state=MessageState(state),
        attempt=attempt,
        occurred_at=T0 + timedelta(seconds=seconds),
        campaign_id=campaign,
        **values,
    )


_CODES = """
select error_code as code, count(*) filter (where rank in (2, 3)) as messages, count(*) as retained
  from delivery.messages where campaign_id = $1 and error_code is not null group by 1 order by 1"""
_CODE_COUNTERS = """
select code, messages, retained from delivery.code_counters
 where campaign_id = $1 and (messages <> 0 or retained <> 0) order by 1"""


async def assert_counters_exact(connection: Any, campaign: int) -> None:
    """Counter rows = sums over the rows; positions dense."""
    counted = await connection.fetchrow(_COUNTED, campaign)
    counters = await connection.fetchrow("select * from delivery.campaign_counters where campaign_id = $1", campaign)
    for name in ("last_position", "pending", "sent", "failed", "read", "replied", "last_revision"):
        assert counters[name] == counted[name], name
    assert counted["rows"] == counted["positions"] == counted["last_position"]
    assert await connection.fetch(_CODE_COUNTERS, campaign) == await connection.fetch(_CODES, campaign)


async def rows_of(connection: Any, campaign: int) -> list[asyncpg.Record]:
    """The campaign's log, in its order."""
    rows: list[asyncpg.Record] = await connection.fetch(
        "select * from delivery.messages where campaign_id = $1 order by position", campaign
    )
    return rows
