"""People who write to the accounts of a line, as the gateway tells of them."""

import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import NAMESPACE_OID, UUID, uuid4, uuid5

from nats.js.errors import NotFoundError

from relaygram_common.contracts.public_events import InboundMessage
from relaygram_common.jetstream.publisher import Outgoing
from relaygram_common.topology import CONTACT_EVENTS, DISPATCHER, INBOUND_MESSAGES, SEND_JOBS
from tests.dispatcher.line import LIMITS, Outside
from tests.support.waiting import eventually

_users = itertools.count(7_000_001)
_messages = itertools.count(1001)


@dataclass
class Person:
    """Somebody on Telegram."""

    line: Outside
    id: int
    handle: str | None
    first_name: str | None = "Ann"

    async def writes(
        self, *texts: str, account_id: int | None = None, date: datetime | None = None, message_id: int | None = None
    ) -> list[int]:
        """Messages to an account, acknowledged by NATS; their ids."""
        events = [
            InboundMessage(
                event_id=uuid4(),
                workspace_id=self.line.workspace_id,
                account_id=account_id or self.line.account_id,
                message_id=message_id or next(_messages),
                from_id=self.id,
                from_handle=self.handle,
                from_first_name=self.first_name,
                text=text,
                media=None,
                date=date or datetime.now(UTC),
            )
            for text in texts
        ]
        await self.line.publisher.publish([told(event) for event in events])
        return [event.message_id for event in events]

    async def is_decided(self, *texts: str, **values: Any) -> list[dict[str, Any]]:
        """Write, and wait for the decisions."""
        ids = await self.writes(*texts, **values)
        account_id = values.get("account_id") or self.line.account_id

        async def there() -> list[dict[str, Any]] | None:
            rows = await self.line.pool.fetch(
                "select * from dispatch.inbound where account_id = $1 and message_id = any ($2) order by message_id",
                account_id,
                ids,
            )
            return [dict(row) for row in rows] if len(rows) == len(ids) else None

        return await eventually(there, what=f"{len(ids)} messages decided")


def told(event: InboundMessage) -> Outgoing:
    """As the gateway publishes it, but with no id that JetStream would know again."""
    return Outgoing(f"message.inbound.{event.workspace_id}.{event.account_id}", event.model_dump_json().encode())


def person(line: Outside, *, handle: str | None = None, first_name: str | None = "Ann") -> Person:
    """Somebody whom nobody knows."""
    return Person(line, next(_users), handle, first_name)


async def account(line: Outside) -> int:
    """One more account of the workspace."""
    account_id: int = await line.pool.fetchval(
        "insert into control.telegram_accounts (workspace_id, kind, status, limits)"
        " values ($1, 'user', 'active', $2) returning id",
        line.workspace_id,
        json.dumps(LIMITS),
    )
    return account_id


async def auto_reply(line: Outside, keyword: str, *, start: bool = True, account_id: int | None = None) -> int:
    """A campaign that answers."""
    campaign_id: int = await line.pool.fetchval(
        "insert into control.campaigns (workspace_id, name, mode, trigger_keyword, body, telegram_account_id)"
        " values ($1, 'answers', 'auto_reply', $2, 'Hello {{first_name}}', $3) returning id",
        line.workspace_id,
        keyword,
        account_id or line.account_id,
    )
    if start:
        await line.transition(campaign_id, "start")
    return campaign_id


async def answers(line: Outside, campaign_id: int) -> list[dict[str, Any]]:
    """What the campaign has answered, or will."""
    rows = await line.pool.fetch(
        "select d.*, p.telegram_user_id, p.handle, p.first_name from dispatch.due d join control.contacts p"
        " on p.id = d.contact_id where d.campaign_id = $1 order by d.triggered_by_message_id",
        campaign_id,
    )
    return [dict(row) for row in rows]


async def was_sent(
    line: Outside,
    to: Person,
    campaign_id: int,
    *,
    contact_id: int,
    message_id: int | None,
    account_id: int | None = None,
) -> UUID:
    """The gateway's ledger holds a message to this person: accepted, or (without its number) still on the wire."""
    job = uuid5(NAMESPACE_OID, f"{campaign_id}/{contact_id}/{message_id}")
    await line.pool.execute(
        "insert into telegram.sends (job_id, workspace_id, campaign_id, account_id, contact_id, step, state, attempt,"
        " term, telegram_user_id, telegram_message_id, first_at, last_at, decided_at)"
        " values ($1, $2, $3, $4, $5, 0, case when $7::bigint is null then 'sending' else 'accepted' end, 1, 1, $6, $7,"
        " now(), now(), case when $7::bigint is null then null else now() end)",
        job,
        line.workspace_id,
        campaign_id,
        account_id or line.account_id,
        contact_id,
        to.id,
        message_id,
    )
    return job


async def waits(
    line: Outside, campaign_id: int, contact_id: int, *, trigger: str = "sequence", counted: bool = False
) -> UUID:
    """A due row of a later message."""
    job = uuid4()
    await line.pool.execute(
        "insert into dispatch.due (job_id, workspace_id, campaign_id, account_id, contact_id, trigger, step_identity,"
        " due_at, counted) values ($1, $2, $3, $4, $5, $6, 1, now() + interval '1 hour', $7)",
        job,
        line.workspace_id,
        campaign_id,
        line.account_id,
        contact_id,
        trigger,
        counted,
    )
    return job


async def contact_of(line: Outside, campaign_id: int) -> int:
    """The first person of a campaign."""
    contact_id: int = await line.pool.fetchval(
        "select min(id) from control.contacts where campaign_id = $1", campaign_id
    )
    return contact_id


async def still_due(line: Outside, jobs: Sequence[UUID]) -> list[UUID]:
    """Those of the jobs whose row is still there."""
    rows = await line.pool.fetch("select job_id from dispatch.due where job_id = any ($1)", jobs)
    found = {row["job_id"] for row in rows}
    return [job for job in jobs if job in found]


async def events_of(line: Outside, kind: str, campaign_id: int) -> list[dict[str, Any]]:
    """What the world was told of a campaign's people; waits until the outbox is empty."""
    return await _published(line, CONTACT_EVENTS, f"contact.event.{line.workspace_id}.{kind}.{campaign_id}")


async def single_jobs(line: Outside, account_id: int) -> list[dict[str, Any]]:
    """Jobs of tests and confirmations."""
    return await _published(line, SEND_JOBS, f"send.job.{account_id}.0")


async def _published(line: Outside, stream: str, subject: str) -> list[dict[str, Any]]:
    async def relayed() -> bool:
        return not await line.pool.fetchval("select exists (select from control.outbox)")

    await eventually(relayed, what="an empty outbox")
    js, sequence = line.client.jetstream(), 1
    found: list[dict[str, Any]] = []
    while True:
        try:
            message = await js.get_msg(stream, seq=sequence, subject=subject, next=True)
        except NotFoundError:
            return found
        found.append(json.loads(message.data or b"{}"))
        sequence = (message.seq or 0) + 1


async def all_acknowledged(line: Outside) -> None:
    """Nothing of INBOUND_MESSAGES is left to do."""

    async def done() -> bool:
        info = await line.client.jetstream().consumer_info(INBOUND_MESSAGES, DISPATCHER)
        return not info.num_pending and not info.num_ack_pending

    await eventually(done, 60.0, what="all messages acknowledged")
