"""What could not be processed is kept, with why."""

import base64
from datetime import datetime

import orjson
from nats.aio.client import Client

from relaygram_common.jetstream.dead_letters import dead_letter, dead_letter_stored
from relaygram_common.jetstream.publisher import Outgoing, WindowPublisher
from relaygram_common.topology import CAMPAIGN_COMMANDS, DEAD_LETTERS, DISPATCHER


async def test_a_letter_has_the_message_and_the_reason_once(client: Client, publisher: WindowPublisher) -> None:
    js = client.jetstream()
    await publisher.publish([Outgoing("campaign.command.start.1.7", b"\xffgarbage", {"traceparent": "00-ab"})])
    subscription = await js.pull_subscribe_bind(DISPATCHER, CAMPAIGN_COMMANDS)
    (message,) = await subscription.fetch(1, timeout=5)
    for _ in range(2):  # judged again: its acknowledgement was lost
        await dead_letter(publisher, message, reason="not\na command" + "!" * 3000)
    await message.ack()
    await subscription.unsubscribe()
    info = await js.stream_info(DEAD_LETTERS, subjects_filter="dead.letter.>")
    assert info.state.subjects == {f"dead.letter.{CAMPAIGN_COMMANDS}": 1}
    stored = await js.get_last_msg(DEAD_LETTERS, f"dead.letter.{CAMPAIGN_COMMANDS}")
    letter = orjson.loads(stored.data or b"")
    assert base64.b64decode(letter["payload_base64"]) == b"\xffgarbage"
    assert letter["headers"]["traceparent"] == "00-ab"
    assert (letter["stream"], letter["subject"]) == (CAMPAIGN_COMMANDS, "campaign.command.start.1.7")
    assert len(letter["reason"]) == 2000
    assert datetime.fromisoformat(letter["at"]).tzinfo is not None
    assert (stored.headers or {})["Relaygram-Reason"].startswith("not a command!!!")


async def test_a_message_that_rests_in_a_stream_makes_the_same_letter(
    client: Client, publisher: WindowPublisher
) -> None:
    for _ in range(2):
        await dead_letter_stored(
            publisher,
            stream="SEND_JOBS",
            sequence=5,
            subject="send.job.x",
            headers=None,
            payload=b"",
            reason="no queue",
        )
    info = await client.jetstream().stream_info(DEAD_LETTERS, subjects_filter="dead.letter.SEND_JOBS")
    assert info.state.subjects == {"dead.letter.SEND_JOBS": 1}
