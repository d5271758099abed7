"""A log-writer may be killed at any moment, also after a commit and before its acknowledgement."""

import random
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from relaygram_common.contracts.delivery import DeliveryEvent
from relaygram_common.contracts.receipts import Receipt
from relaygram_common.topology import DELIVERY_EVENTS, LOG_WRITER, RECEIPTS
from relaygram_local_stack.servers import NatsServer
from tests.log_writer.chats import Model, receipt, sent
from tests.log_writer.events import assert_counters_exact, new_campaign, rows_of
from tests.log_writer.one_way_link import one_way_link
from tests.log_writer.running import Bench, bench
from tests.log_writer.test_outages import process
from tests.support.servers import Database
from tests.support.waiting import eventually

_TOLD = """
select (body ->> 'job_id')::uuid as job_id, body ->> 'state' as state from control.outbox
 where (body ->> 'campaign_id')::bigint = $1"""


async def _told(outside: Bench, campaign: int) -> list[Any]:
    return [tuple(row) for row in await outside.connection.fetch(_TOLD, campaign)]


@pytest.mark.faults
async def test_killed_between_commit_and_acknowledgement_it_does_nothing_twice(
    provisioned_nats: NatsServer, database: Database, tmp_path: Path
) -> None:
    campaign, chat, log = new_campaign(), 77, tmp_path / "log"
    replied = "select count(*) = 1 from delivery.messages where campaign_id = $1 and state = 'replied'"
    js: Any
    async with bench(provisioned_nats.url, database.dsn) as outside, one_way_link(provisioned_nats.url) as link:
        js = outside.client.jetstream()

        async def asks() -> bool:
            return all([(await js.consumer_info(stream, LOG_WRITER)).num_waiting for stream in _STREAMS])

        with process(link.url, database.log_writer, 0, log) as running:
            await eventually(asks, what="both loops have asked")
            link.hold()
            await outside.publish([sent(number, campaign=campaign, chat=chat, seconds=number) for number in (1, 2)])
            await outside.publish_receipts(
                [receipt("read", 2, chat=chat, seconds=3), receipt("reply", 3, chat=chat, seconds=4)]
            )
            await eventually(lambda: outside.connection.fetchval(replied, campaign), what="committed")
            running.kill()
            running.wait(10)
        for stream in _STREAMS:
            assert (await js.consumer_info(stream, LOG_WRITER)).num_ack_pending == 2  # nothing was acknowledged
        before, told = await rows_of(outside.connection, campaign), await _told(outside, campaign)
        assert len(told) == 3
        with process(provisioned_nats.url, database.log_writer, 0, log):
            await outside.drained()
        assert await rows_of(outside.connection, campaign) == before
        assert await _told(outside, campaign) == told
        await assert_counters_exact(outside.connection, campaign)


_STREAMS = (DELIVERY_EVENTS, RECEIPTS)


def _story(campaign: int, chats: range) -> tuple[list[DeliveryEvent], list[Receipt]]:
    messages, receipts = [], []
    for chat in chats:
        messages += [sent(number, campaign=campaign, chat=chat, seconds=number) for number in (1, 3, 5)]
        receipts += [receipt("reply", 4, chat=chat, seconds=4), receipt("read", 5, chat=chat, seconds=6)]
    return messages, receipts


@pytest.mark.faults
@pytest.mark.parametrize("seed", [1, 2])
async def test_killed_at_any_moment_it_loses_and_doubles_no_receipt(
    provisioned_nats: NatsServer, database: Database, tmp_path: Path, seed: int
) -> None:
    campaign, log, chance = new_campaign(), tmp_path / "log", random.Random(seed)  # noqa: S311 - a story that can be told again
    messages, receipts = _story(campaign, range(seed * 10_000, seed * 10_000 + 500))
    chance.shuffle(messages)
    chance.shuffle(receipts)
    reads = "select count(*) >= $2 from delivery.messages where campaign_id = $1 and read_at is not null"
    async with bench(provisioned_nats.url, database.dsn) as outside:
        await outside.publish(messages)
        await outside.publish_receipts(receipts)
        for enough in (chance.randint(1, 700), chance.randint(700, 1499)):
            with process(provisioned_nats.url, database.log_writer, 0, log) as running:
                await eventually(partial(outside.connection.fetchval, reads, campaign, enough))
                running.kill()
        with (
            process(provisioned_nats.url, database.log_writer, 0, log),
            process(provisioned_nats.url, database.log_writer, 0, log),
        ):
            await outside.drained()
        model = Model()
        model.arrive(*messages)
        model.arrive(*receipts)
        rows = await rows_of(outside.connection, campaign)
        assert {row["job_id"] for row in rows if row["read_at"]} == {*model.read_at}
        replied = {row["job_id"] for row in rows if row["replied_at"]}
        assert replied >= {*model.replied_at}  # a message written late takes no reply from an older one
        told = await _told(outside, campaign)
        assert len(told) == len({*told}) == len(model.read_at) + len(replied)
        await assert_counters_exact(outside.connection, campaign)
