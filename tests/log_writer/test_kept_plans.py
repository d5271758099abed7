"""A connection that asked while the log was empty, and keeps PostgreSQL's plans of then, asks a full one as quickly."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from tests.support.servers import Database

_ROWS = 20_000
_BEGAN = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=2)
_KEEP = timedelta(hours=1)

# No statistics but those of empty tables, and none come meanwhile.
_EMPTY = """
alter table delivery.messages set (autovacuum_enabled = off);
alter table delivery.receipts set (autovacuum_enabled = off);
alter table delivery.campaign_counters set (autovacuum_enabled = off);
vacuum analyze"""
# Sent to people 1 to 20,000 by account 3, as messages of the same numbers; then what the log-writer has counted.
_FILL = """
insert into delivery.messages (campaign_id, job_id, id, position, revision, created_at, workspace_id, channel, state,
    rank, attempt, account_id, recipient_id, sender_id, destination, body, queued_at, sent_at, telegram_message_id)
select 1, lpad(n::text, 32, '0')::uuid, n, n, n, $1::timestamptz + n * interval '1 ms', 1, 'telegram', 'sent', 4,
       1, 3, n, n, '@reader_' || n, 'Hello', $1, $1, n
  from generate_series(1, 20000) n"""
_COUNT = """
insert into delivery.campaign_counters (campaign_id, workspace_id, last_position, sent, retained_sent, last_revision)
values (1, 1, 20000, 20000, 20000, 20000);
update delivery.sequence set last_id = 20000, last_revision = 20000, last_created_at = now();
insert into delivery.receipts (account_id, chat_id, kind, message_id, workspace_id, occurred_at)
select 3, n, 'read', n, 1, now() from generate_series(1, 20000) n"""
_LOOKED_AT = """
select sum(seq_tup_read + idx_tup_fetch)::bigint from pg_stat_xact_all_tables
 where relid in ('delivery.messages'::regclass, 'delivery.receipts'::regclass)"""

_RECEIPTS = """
select * from delivery.apply_receipts($1::bigint[], $2::bigint[], $3::bigint[], $4::text[], $5::bigint[],
    $6::timestamptz[], $7::bigint[], $8::uuid[], 100)"""
_PEOPLE = range(9000, 9020)


def _receipts(people: range) -> tuple[Any, ...]:
    many, kinds = len(people), ["read" if number % 2 else "reply" for number in people]
    return ([1] * many, [3] * many, [*people], kinds, [one + 1 for one in people], [datetime.now(UTC)] * many, [], [])


def _late(people: range) -> tuple[Any, ...]:
    return ([], [], [], [], [], [], [1] * len(people), [UUID(f"{number:032}") for number in people])


# As whom, what, with which arguments of some people, and how many rows that may look at.
_ASKED: dict[str, tuple[str, str, Callable[[range], tuple[Any, ...]], int]] = {
    "a batch of events": (
        "log_writer",
        "select delivery.find_messages($1::bigint[], $2::uuid[])",
        lambda people: ([1] * len(people), [UUID(f"{number:032}") for number in people]),
        20,
    ),
    "receipts": ("log_writer", _RECEIPTS, _receipts, 400),
    "messages that came after their receipts": ("log_writer", _RECEIPTS, _late, 400),
    "erased people": (
        "api",
        "select delivery.erase_messages($1, $2, $3)",
        lambda people: ([1] * len(people), [*people], [f"@reader_{one}" for one in people]),
        400,
    ),
    "old rows": ("log_writer", "select * from delivery.trim_log('me', 1, $1, 100)", lambda _: (_KEEP,), 700),
    "old logs": ("log_writer", "select * from delivery.old_logs($1, 0, 100)", lambda _: (_KEEP,), 100),
    "rows after a moment": (
        "api",
        "select delivery.position_after(1, $1, null)",
        lambda people: (_BEGAN + timedelta(milliseconds=people[0]),),
        30,
    ),
    "rows of all campaigns after a moment": (
        "api",
        "select delivery.id_before(1, $1)",
        lambda people: (_BEGAN + timedelta(milliseconds=people[0]),),
        50,
    ),
    "few changes": ("api", "select delivery.changes_behind(1, $1, 10001)", lambda _: (_ROWS - 50,), 200),
}


async def _looks_at(connection: Any, statement: str, arguments: tuple[Any, ...]) -> int:
    async with connection.transaction():
        before: int = await connection.fetchval(_LOOKED_AT)
        await connection.fetch(statement, *arguments)
        after: int = await connection.fetchval(_LOOKED_AT)
    return after - before


@pytest.mark.parametrize("name", _ASKED)
async def test_what_was_planned_for_an_empty_log_reads_no_more_of_a_full_one(
    name: str, fresh_database: Callable[[], Database]
) -> None:
    role, statement, arguments, most = _ASKED[name]
    database = fresh_database()
    owner = await asyncpg.connect(database.dsn)
    workspace = {"relaygram.workspace_id": "*" if role == "log_writer" else "1"}
    connection = await asyncpg.connect(database.dsn_for(f"relaygram_{role}"), server_settings=workspace)
    try:
        for part in _EMPTY.split(";"):
            await owner.execute(part)
        for first in range(0, 1200, 100):
            await connection.fetch(statement, *arguments(range(first, first + 20)))
        await owner.execute(_FILL, _BEGAN)
        await owner.execute(_COUNT)
        assert await _looks_at(connection, statement, arguments(_PEOPLE)) <= most
        assert await owner.fetchval("select count(*) from delivery.messages") >= _ROWS - 100
    finally:
        await connection.close()
        await owner.close()
