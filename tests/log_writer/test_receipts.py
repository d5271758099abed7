"""Who read and who replied, through the real nats-server and PostgreSQL."""

import itertools
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import orjson
import pytest

from relaygram_common.contracts.delivery import DeliveryEvent
from relaygram_common.contracts.doorbells import LogChanged
from relaygram_common.contracts.ids import event_id
from relaygram_common.contracts.states import MessageState
from relaygram_common.topology import RECEIPTS
from relaygram_local_stack.servers import NatsServer
from tests.log_writer.chats import ACCOUNT, receipt, sent
from tests.log_writer.events import assert_counters_exact, event, new_campaign, rows_of
from tests.log_writer.running import Bench, bench, log_writer
from tests.support.servers import Database

_chats = itertools.count(500)
_TOLD = "select subject, body, headers from control.outbox where (body ->> 'job_id')::uuid = $1 order by subject"


@pytest.fixture(scope="module")
async def line(provisioned_nats: NatsServer, database: Database) -> AsyncIterator[Bench]:
    """A running log-writer and the test's own connections."""
    async with (
        bench(provisioned_nats.url, database.dsn) as outside,
        log_writer(provisioned_nats.url, database.log_writer),
    ):
        yield outside


async def _states(line: Bench, campaign: int) -> list[str]:
    return [row["state"] for row in await rows_of(line.connection, campaign)]


async def _told(line: Bench, job: UUID) -> list[DeliveryEvent]:
    rows = await line.connection.fetch(_TOLD, job)
    told = [DeliveryEvent.model_validate_json(row["body"]) for row in rows]
    for row, one in zip(rows, told, strict=True):
        assert (row["subject"], orjson.loads(row["headers"])) == (one.subject, one.headers)
    return told


async def test_a_read_marks_all_before_it_and_a_reply_the_newest(line: Bench) -> None:
    campaign, chat = new_campaign(), next(_chats)
    await line.publish([sent(number, campaign=campaign, chat=chat, seconds=number) for number in (1, 2, 3, 9)])
    await line.drained()
    await line.publish_receipts(
        [receipt("read", 3, chat=chat, seconds=5), receipt("reply", 3, chat=chat, seconds=6)] * 2
    )
    await line.drained()
    assert await _states(line, campaign) == ["read", "replied", "read", "sent"]
    await assert_counters_exact(line.connection, campaign)
    counted = await line.connection.fetchrow(
        "select sent, read, replied from delivery.campaign_counters where campaign_id = $1", campaign
    )
    assert counted is not None
    assert tuple(counted) == (4, 3, 1)


async def test_a_message_that_is_written_later_has_its_receipts_at_once(line: Bench) -> None:
    campaign, chat = new_campaign(), next(_chats)
    await line.publish_receipts([receipt("read", 7, chat=chat, seconds=8), receipt("reply", 9, chat=chat, seconds=9)])
    await line.drained()
    await line.publish([sent(number, campaign=campaign, chat=chat, seconds=number) for number in (6, 8)])
    await line.drained()
    assert await _states(line, campaign) == ["read", "replied"]
    await assert_counters_exact(line.connection, campaign)


async def test_the_public_events_have_the_contracts_ids_and_change_nothing_when_they_come_back(line: Bench) -> None:
    campaign, chat, job = new_campaign(), next(_chats), uuid4()
    message = sent(4, campaign=campaign, chat=chat, seconds=1, job=job, attempt=2, price={"amount": "0.10"})
    await line.publish([message])
    await line.drained()
    await line.publish_receipts([receipt("read", 4, chat=chat, seconds=2), receipt("reply", 5, chat=chat, seconds=3)])
    await line.drained()
    told = await _told(line, job)
    assert [one.state for one in told] == [MessageState.READ, MessageState.REPLIED]
    for one in told:
        assert one.event_id == event_id(job, one.state.value, 2)
        told_anew = {"event_id": one.event_id, "state": one.state, "occurred_at": one.occurred_at}
        assert one == message.model_copy(update=told_anew)
    (before,) = await rows_of(line.connection, campaign)
    await line.publish(told)
    await line.drained()
    assert await rows_of(line.connection, campaign) == [before]
    assert await _told(line, job) == told


async def test_who_watches_a_campaign_is_rung_when_its_messages_are_read(line: Bench) -> None:
    campaign, chat = new_campaign(), next(_chats)
    await line.publish([sent(1, campaign=campaign, chat=chat, seconds=1)])
    await line.drained()
    bell = await line.client.subscribe(f"log.changed.{campaign}")
    await line.client.flush()
    await line.publish_receipts([receipt("read", 1, chat=chat, seconds=2)])
    rung = LogChanged.model_validate_json((await bell.next_msg(timeout=20)).data)
    (row,) = await rows_of(line.connection, campaign)
    assert (row["state"], row["revision"]) == ("read", rung.revision)
    await bell.unsubscribe()


async def test_an_incomplete_row_keeps_its_code_when_it_is_read(line: Bench) -> None:
    campaign, chat, job = new_campaign(), next(_chats), uuid4()
    wrong = orjson.loads(sent(4, campaign=campaign, chat=chat, seconds=1, job=job).model_dump_json())
    await line.publish_raw(f"delivery.event.1.telegram.sent.{campaign}", orjson.dumps({**wrong, "price": 5}))
    await line.drained()
    await line.publish_receipts([receipt("read", 4, chat=chat, seconds=2)])
    await line.drained()
    (before,) = await rows_of(line.connection, campaign)
    assert (before["state"], before["error_code"]) == ("read", "LOG_INCOMPLETE")
    await line.publish(await _told(line, job))
    await line.drained()
    assert await rows_of(line.connection, campaign) == [before]


async def test_a_message_of_unknown_id_has_its_place_by_time(line: Bench) -> None:
    campaign, chat = new_campaign(), next(_chats)
    await line.publish(
        [
            sent(1, campaign=campaign, chat=chat, seconds=1),
            sent(None, campaign=campaign, chat=chat, seconds=2),
            sent(None, campaign=campaign, chat=chat, seconds=6),
            event("sent", campaign=campaign, telegram_message_id=None),  # of an unknown chat
        ]
    )
    await line.drained()
    await line.publish_receipts([receipt("reply", 4, chat=chat, seconds=3), receipt("read", 1, chat=chat, seconds=4)])
    await line.drained()
    rows = {row["sent_at"]: row["state"] for row in await rows_of(line.connection, campaign)}
    assert [state for _, state in sorted(rows.items())] == ["sent", "read", "replied", "sent"]


async def test_only_messages_of_that_account_that_telegram_accepted_are_marked(line: Bench) -> None:
    campaign, chat = new_campaign(), next(_chats)
    await line.publish(
        [
            sent(1, campaign=campaign, chat=chat, seconds=1, account_id=ACCOUNT + 1),
            sent(2, campaign=campaign, chat=chat, seconds=1, workspace_id=2),
            sent(3, campaign=campaign, chat=chat, seconds=1, channel="sms"),
            event("failed", campaign=campaign, recipient_id=chat, telegram_message_id=4),
            event("queued", campaign=campaign, recipient_id=chat, telegram_message_id=5),
        ]
    )
    receipts = [receipt("read", 9, chat=chat, seconds=2), receipt("reply", 10, chat=chat, seconds=3)]
    await line.publish_receipts(receipts)
    await line.drained()
    assert {*await _states(line, campaign)} == {"sent", "failed", "queued"}


async def test_what_was_read_at_once_may_be_more_than_one_transaction_takes(line: Bench) -> None:
    campaign, chat = new_campaign(), next(_chats)
    await line.publish([sent(number, campaign=campaign, chat=chat, seconds=number) for number in range(1, 1202)])
    await line.drained()
    await line.publish_receipts([receipt("read", 1200, chat=chat, seconds=5000)])
    await line.drained()
    assert (await _states(line, campaign)).count("read") == 1200
    await assert_counters_exact(line.connection, campaign)


@pytest.mark.parametrize("payload", [b"", b"no JSON", b"{}", b'{"kind": "seen"}'])
async def test_what_is_no_receipt_is_dead_lettered_and_the_rest_goes_on(line: Bench, payload: bytes) -> None:
    campaign, chat = new_campaign(), next(_chats)
    await line.publish([sent(1, campaign=campaign, chat=chat, seconds=1)])
    await line.publish_raw(f"receipt.1.{ACCOUNT}", payload)
    await line.publish_receipts([receipt("read", 1, chat=chat, seconds=2)])
    await line.drained()
    assert await _states(line, campaign) == ["read"]
    assert (await line.last_letter(RECEIPTS))["reason"].startswith("not a receipt: ")


async def test_an_erased_person_has_no_receipts_and_gets_none(line: Bench, database: Database) -> None:
    campaign, chat, job = new_campaign(), next(_chats), uuid4()
    message = sent(1, campaign=campaign, chat=chat, seconds=1, job=job)
    await line.publish([message])
    await line.publish_receipts([receipt("read", 1, chat=chat, seconds=2)])
    await line.drained()
    api = await asyncpg.connect(database.api, server_settings={"relaygram.workspace_id": "1"})
    await api.fetch("select delivery.erase_messages($1, $2, '{}')", [campaign], [message.sender_id])
    await api.close()
    kept = "select count(*) from delivery.receipts where chat_id = $1"
    assert await line.connection.fetchval(kept, chat) == 0
    await line.publish([message])  # once more, with all that is personal
    await line.publish_receipts([receipt("reply", 2, chat=chat, seconds=3)])
    await line.drained()
    (row,) = await rows_of(line.connection, campaign)
    assert (row["state"], row["recipient_id"], row["body"], row["destination"]) == ("read", None, None, None)


async def test_receipts_leave_when_no_message_can_come_any_more_that_they_apply_to(line: Bench) -> None:
    chat = next(_chats)
    old = "update delivery.receipts set occurred_at = now() - interval '31 days' where chat_id = $1"
    kept: Any = "select message_id from delivery.receipts where chat_id = $1"
    await line.publish_receipts([receipt("read", 1, chat=chat, seconds=0)])
    await line.drained()
    await line.connection.execute(old, chat)
    await line.publish_receipts([receipt("read", 2, chat=chat, seconds=1)])
    await line.drained()
    assert [row["message_id"] for row in await line.connection.fetch(kept, chat)] == [2]
