"""Events a second from the stream to committed rows: the log-writer, a first FastStream writer, and plain COPY.

All three write the same messages into tables of the same shape and indexes, one after the other, in turns, durably.
"""

import asyncio
import io
import time
from statistics import median
from typing import Any

import asyncpg
from nats.js.client import JetStreamContext

from benchmarks.log_events import fill_stream
from benchmarks.log_servers import LogServers, jetstream, log_writer, new_consumer, process
from benchmarks.results import Part, of_runs
from relaygram_common.topology import DELIVERY_EVENTS, LOG_WRITER

_EVENTS = 100_000
_ROUNDS = 5
_PEER_GOAL, _COPY_GOAL = 4.0, 0.3
_DATABASE = "writing"
_PEER, _PEER_TABLE, _COPY_TABLE = "faststream-writer", "bench_messages", "bench_copied"
_POLL_SECONDS = 0.01
_MOST_SECONDS = 300.0
_EMPTY = """
truncate delivery.messages, delivery.campaign_counters, delivery.code_counters, delivery.minute_counters,
    delivery.log_marks"""
_COLUMNS = """
select attname from pg_attribute
 where attrelid = 'delivery.messages'::regclass and attnum > 0 and not attisdropped and attgenerated = ''"""
# Processor time an event, from /proc, when this was written.
_WHY_PEER = (
    "an event takes 17 µs of the log-writer, 16 of PostgreSQL (9 are COPY's) and 6 of nats-server, at once: 20 on two"
    " processors at best; the log's lock, held until the disk has it, makes it 24. With FastStream 50, 29 and 10, one"
    " after the other"
)
_WHY_COPY = "COPY has neither events to decode nor messages to acknowledge"
_OWN_IDS = """
drop sequence if exists bench_ids cascade;
create sequence bench_ids;
alter table {table}
    alter id set default nextval('bench_ids'), alter position set default nextval('bench_ids'),
    alter revision set default nextval('bench_ids'), alter created_at set default clock_timestamp(),
    alter queued_at set default clock_timestamp();
"""


async def measure(servers: LogServers) -> Part:
    """Rates in turns, so that what else the machine does meets all of them."""
    await asyncio.to_thread(servers.database, _DATABASE)
    await fill_stream(servers.nats_url, 0, _EVENTS)
    database = await asyncpg.connect(servers.postgres.dsn(_DATABASE))
    try:
        async with jetstream(servers.nats_url) as js:
            await _ours(servers, js, database)  # warm
            rounds = [
                (await _ours(servers, js, database), await _peer(servers, js, database), await _copied(database))
                for _ in range(_ROUNDS)
            ]
    finally:
        await database.close()
    ours, peer, copy = (median(side) for side in zip(*rounds, strict=True))
    told = f"{_EVENTS} events; {ours:.0f}/s"
    to_peer = of_runs(
        "Log-writer / FastStream batches with executemany", [a / b for a, b, _ in rounds], _PEER_GOAL,
        f"{told}, FastStream {peer:.0f}/s", note=_WHY_PEER,
    )  # fmt: skip
    to_copy = of_runs(
        "Log-writer / plain COPY of the same rows", [a / c for a, _, c in rounds], _COPY_GOAL,
        f"{told}, COPY {copy:.0f}/s", note=_WHY_COPY,
    )  # fmt: skip
    return Part("Writing the log", [to_peer, to_copy], {})


async def _ours(servers: LogServers, js: JetStreamContext, database: Any) -> float:
    """The log-writer as it is run, into empty tables."""
    await database.execute(_EMPTY)
    await new_consumer(js, LOG_WRITER)
    async with log_writer(servers, _DATABASE):
        rate = await _rate(js, LOG_WRITER)
    counted = await database.fetchrow(
        "select sum(last_position) as rows, sum(sent + failed) as ended from delivery.campaign_counters"
    )
    assert counted["rows"] == counted["ended"] == _EVENTS, counted
    return rate


async def _peer(servers: LogServers, js: JetStreamContext, database: Any) -> float:
    """FastStream's batch subscriber, into an empty table whose ids are a sequence's."""
    await _make_table(database, _PEER_TABLE)
    await database.execute(_OWN_IDS.format(table=_PEER_TABLE))
    await new_consumer(js, _PEER)
    arguments = (servers.nats_url, servers.postgres.dsn(_DATABASE), _PEER_TABLE, _PEER)
    async with process("benchmarks.faststream_writer", {}, *arguments):
        rate = await _rate(js, _PEER)
    assert await database.fetchval(f"select count(*) from {_PEER_TABLE}") == _EVENTS  # noqa: S608 - ours
    return rate


async def _rate(js: JetStreamContext, consumer: str) -> float:
    """From the first acknowledgement seen to the last: what is acknowledged is committed. The start is not counted."""
    began, before = None, 0
    async with asyncio.timeout(_MOST_SECONDS):
        while True:
            floor = (await js.consumer_info(DELIVERY_EVENTS, consumer)).ack_floor
            now, done = time.perf_counter(), floor.stream_seq if floor else 0
            if began is None and done:
                began, before = now, done
            if began is not None and done >= _EVENTS:
                return (_EVENTS - before) / (now - began)
            await asyncio.sleep(_POLL_SECONDS)


async def _copied(database: Any) -> float:
    """The rows that the log-writer has written, in one COPY into an empty table."""
    columns = [row["attname"] for row in await database.fetch(_COLUMNS)]
    data = bytearray()

    async def keep(piece: bytes) -> None:
        data.extend(piece)

    query = f"select {', '.join(columns)} from delivery.messages order by id"  # noqa: S608 - ours
    await database.copy_from_query(query, output=keep, format="binary", timeout=_MOST_SECONDS)
    await _make_table(database, _COPY_TABLE)
    source, began = io.BytesIO(data), time.perf_counter()
    await database.copy_to_table(_COPY_TABLE, source=source, columns=columns, format="binary", timeout=_MOST_SECONDS)
    return _EVENTS / (time.perf_counter() - began)


async def _make_table(database: Any, table: str) -> None:
    await database.execute(f"drop table if exists {table}")
    await database.execute(f"create table {table} (like delivery.messages including all)")
