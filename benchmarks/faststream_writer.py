"""The peer of the log-writer: what one would write first with FastStream and asyncpg.

`python -m benchmarks.faststream_writer NATS_URL DSN TABLE CONSUMER` upserts delivery events into TABLE until told to
stop: batches of 500, one `executemany` in a transaction each, acknowledged after it. No counters and no feeds.
"""

import asyncio
import json
import sys
from typing import Any

import asyncpg
import uvloop
from faststream import AckPolicy, FastStream
from faststream.nats import JStream, NatsBroker, PullSub

from relaygram_common.contracts.delivery import DeliveryEvent
from relaygram_common.contracts.states import RANKS
from relaygram_common.topology import DELIVERY_EVENTS

_BATCH = 500
_FIELDS = (
    "campaign_id", "job_id", "workspace_id", "channel", "state", "attempt", "account_id", "sender_id", "run_id",
    "sender", "destination", "step", "trigger", "body", "content_type", "queued_at", "recipient_id",
    "telegram_message_id", "triggered_by_message_id", "reference", "entity_id", "application_id", "price",
)  # fmt: skip
_COLUMNS = (*_FIELDS, "rank", "sent_at", "error_code", "error_message", "error_permanent")


def upsert(table: str) -> str:
    """A new row, or its newer state."""
    changes = ", ".join(f"{name} = coalesce(excluded.{name}, m.{name})" for name in _COLUMNS[2:])
    values = ", ".join(f"${place}" for place in range(1, len(_COLUMNS) + 1))
    return (
        f"insert into {table} as m ({', '.join(_COLUMNS)}) values ({values})"  # noqa: S608 - a table of ours
        f" on conflict (campaign_id, job_id) do update set {changes} where m.rank < excluded.rank"
    )


def _row(event: DeliveryEvent) -> tuple[Any, ...]:
    error = event.error
    return (
        *(getattr(event, name) for name in _FIELDS),
        RANKS[event.state],
        event.occurred_at if event.state == "sent" else None,
        error.code if error else None,
        error.message if error else None,
        error.permanent if error else None,
    )


async def _initialise(connection: Any) -> None:
    await connection.set_type_codec("jsonb", schema="pg_catalog", encoder=json.dumps, decoder=json.loads)


async def _main(nats_url: str, dsn: str, table: str, consumer: str) -> None:
    pool = await asyncpg.create_pool(dsn, min_size=1, max_size=4, init=_initialise)
    broker = NatsBroker(nats_url, logger=None)
    statement = upsert(table)

    @broker.subscriber(
        "delivery.event.>",
        durable=consumer,
        stream=JStream(DELIVERY_EVENTS, declare=False),
        pull_sub=PullSub(batch_size=_BATCH, batch=True),
        ack_policy=AckPolicy.NACK_ON_ERROR,
    )
    async def write(events: list[DeliveryEvent]) -> None:
        async with pool.acquire() as connection, connection.transaction():
            await connection.executemany(statement, [_row(event) for event in events])

    await FastStream(broker, logger=None).run()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_main(*sys.argv[1:]))
