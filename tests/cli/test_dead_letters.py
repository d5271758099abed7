"""`relaygram dead-letters` on real streams, and with a real log-writer behind them."""

import asyncio
import base64
import itertools
import json
import os
import sys
from collections.abc import AsyncIterator, Callable

import orjson
import pytest

from relaygram_common.jetstream.dead_letters import dead_letter_stored
from relaygram_common.jetstream.publisher import Outgoing
from relaygram_common.topology import DEAD_LETTERS, DELIVERY_EVENTS, INBOUND_MESSAGES, SEND_JOBS
from relaygram_local_stack.servers import NatsServer
from tests.cli.conftest import Relaygram
from tests.log_writer.events import event, new_campaign, rows_of
from tests.log_writer.running import Bench, bench, log_writer
from tests.support.servers import Database
from tests.support.waiting import eventually

TOKEN = "7|" + "a" * 40
# Of messages that were never in their streams; each once, since the same message makes one letter only.
_made_up = itertools.count(1_000_000)


@pytest.fixture
async def streams(provisioned_nats: NatsServer, database: Database) -> AsyncIterator[Bench]:
    """Publishes; every test begins without letters."""
    async with bench(provisioned_nats.url, database.dsn) as made:
        await made.client.jetstream().purge_stream(DEAD_LETTERS)
        yield made


@pytest.fixture
def operator(relaygram: Relaygram, provisioned_nats: NatsServer, monkeypatch: pytest.MonkeyPatch) -> Relaygram:
    monkeypatch.setenv("RELAYGRAM_NATS_URL", provisioned_nats.url)
    return relaygram


async def lay(
    streams: Bench, stream: str, subject: str, payload: bytes, *, sequence: int | None = None, reason: str = "why"
) -> int:
    """One letter; its sequence."""
    headers = {"traceparent": "00-ab", "Nats-Msg-Id": "x"}
    await dead_letter_stored(
        streams.publisher,
        stream=stream,
        sequence=sequence or next(_made_up),
        subject=subject,
        headers=headers,
        payload=payload,
        reason=reason,
    )
    return (await streams.client.jetstream().get_last_msg(DEAD_LETTERS, f"dead.letter.{stream}")).seq or 0


async def listed(operator: Relaygram, *words: str) -> list[int]:
    done = await operator("dead-letters", "list", "--json", *words)
    assert (done.status, done.err.count("\n") <= 1) == (0, True)
    return [letter["sequence"] for letter in json.loads(done.out)]


async def test_letters_are_listed_newest_first_by_stream_and_up_to_a_limit(operator: Relaygram, streams: Bench) -> None:
    nothing = await operator("dead-letters", "list")
    assert (nothing.status, nothing.out, nothing.err) == (0, "", "There are no dead letters.\n")
    laid = [await lay(streams, DELIVERY_EVENTS, "delivery.event.1.sms.sent.0", b"{}") for n in range(70)]
    other = await lay(streams, INBOUND_MESSAGES, "message.inbound.1.3", b"{}", reason="not\x1b[31m red")
    assert await listed(operator, "--limit", "0") == [other, *laid[::-1]]
    assert await listed(operator, "--stream", "delivery_events", "-n", "3") == laid[:-4:-1]
    assert await listed(operator, "--stream", "RECEIPTS") == []
    shown = await operator("dead-letters", "list", "--limit", "1")
    head, line = shown.out.splitlines()
    assert head.split() == ["sequence", "stream", "when", "subject", "reason"]
    assert line.split()[:2] == [str(other), "INBOUND_MESSAGES"]
    assert line.endswith("message.inbound.1.3  not\\x1b[31m red")
    assert shown.err == "More follow: --limit takes more than 1, --limit 0 takes all.\n"


async def test_one_is_shown_whole_but_for_secrets(operator: Relaygram, streams: Bench) -> None:
    payload = {"job_id": "x", "body": f"my token {TOKEN}", "nested": [{"password": "hunter22"}], "error": {"code": "A"}}
    sequence = await lay(
        streams, DELIVERY_EVENTS, "delivery.event.1.sms.sent.0", orjson.dumps(payload), reason="no state"
    )
    shown = json.loads((await operator("dead-letters", "show", sequence, "--json")).out)
    assert json.loads(shown["payload"]) == {
        "job_id": "x",
        "body": "my token ***",
        "nested": [{"password": "***"}],
        "error": {"code": "A"},
    }
    assert shown["headers"] == {"traceparent": "00-ab", "Nats-Msg-Id": "x"}
    assert (shown["reason"], shown["payload_base64"]) == ("no state", None)
    read = (await operator("dead-letters", "show", sequence)).out
    assert "no state" in read
    assert '  "body": "my token ***",' in read.splitlines()
    assert "hunter22" not in read


async def test_what_is_no_text_is_shown_in_base64(operator: Relaygram, streams: Bench) -> None:
    sequence = await lay(streams, SEND_JOBS, "send.job.3.7", b"\xff\x00garbage")
    encoded = base64.b64encode(b"\xff\x00garbage").decode()
    shown = json.loads((await operator("dead-letters", "show", sequence, "--json")).out)
    assert (shown["payload"], shown["payload_base64"]) == (None, encoded)
    assert encoded in (await operator("dead-letters", "show", sequence)).out.splitlines()


async def test_a_replay_publishes_the_same_message_again_and_takes_the_letter_away(
    operator: Relaygram, streams: Bench
) -> None:
    js = streams.client.jetstream()
    payload = orjson.dumps({"body": f"secret {TOKEN}"})
    letter = await lay(streams, SEND_JOBS, "send.job.3.7", payload)
    kept = await lay(streams, SEND_JOBS, "send.job.3.8", b"2")
    before = (await js.stream_info(SEND_JOBS)).state.messages
    tried = await operator("dead-letters", "replay", letter, "--dry-run")
    assert "would publish" in tried.err
    assert (await js.stream_info(SEND_JOBS)).state.messages == before
    done = await operator("dead-letters", "replay", letter)
    assert (done.status, done.out, done.err) == (0, "", "1 message published again.\n")
    again = await js.get_last_msg(SEND_JOBS, "send.job.3.7")
    assert (again.data, again.headers) == (payload, {"traceparent": "00-ab"})
    assert await listed(operator) == [kept]


async def test_all_of_a_stream_are_replayed_only_when_that_is_meant(operator: Relaygram, streams: Bench) -> None:
    js = streams.client.jetstream()
    for number in range(3):
        await lay(streams, INBOUND_MESSAGES, "message.inbound.1.3", b"%d" % number)
    other = await lay(streams, SEND_JOBS, "send.job.3.9", b"x")
    asked = await operator("dead-letters", "replay", "--stream", "INBOUND_MESSAGES", "--all")
    assert (asked.status, "say --yes" in asked.err) == (1, True)
    done = await operator("dead-letters", "replay", "--stream", "INBOUND_MESSAGES", "--all", "--yes", "--json")
    assert json.loads(done.out) == {"replayed": 3, "would_replay": 0, "failed": []}
    state = (await js.stream_info(INBOUND_MESSAGES)).state
    stored = [(await js.get_msg(INBOUND_MESSAGES, seq=state.last_seq - back)).data for back in (2, 1, 0)]
    assert stored == [b"0", b"1", b"2"]
    assert await listed(operator) == [other]
    assert (await operator("dead-letters", "replay", "--all", "--yes")).err == "1 message published again.\n"
    assert (await operator("dead-letters", "replay", "--all")).err == "0 messages published again.\n"


async def test_what_cannot_be_replayed_is_told_and_keeps_its_letter(operator: Relaygram, streams: Bench) -> None:
    nowhere = await lay(streams, SEND_JOBS, "an.old.subject", b"x")
    well = await lay(streams, SEND_JOBS, "send.job.3.9", b"x")
    await streams.publisher.publish([Outgoing("dead.letter.SEND_JOBS", b"somebody else's")])
    foreign = well + 1
    done = await operator("dead-letters", "replay", nowhere, well, foreign, 999_999)
    assert done.status == 1
    assert done.err.splitlines() == [
        "1 message published again.",
        "relaygram: 3 messages could not be replayed; what has a letter keeps it",
        f"  {nowhere}: no stream takes the subject an.old.subject",
        f"  {foreign}: it is not a letter of Relaygram's, or of a newer version",
        "  999999: there is no such letter",
    ]
    assert await listed(operator) == [foreign, nowhere]
    assert "somebody else's" in (await operator("dead-letters", "show", foreign)).out


async def test_a_message_too_large_for_a_letter_is_replayed_from_its_stream(
    operator: Relaygram, streams: Bench
) -> None:
    js = streams.client.jetstream()
    large = b"x" * (streams.client.max_payload - 200)
    await streams.publish_raw("send.job.3.10", large)
    original = await js.get_last_msg(SEND_JOBS, "send.job.3.10")
    letter = await lay(streams, SEND_JOBS, "send.job.3.10", large, sequence=original.seq or 0)
    shown = json.loads((await operator("dead-letters", "show", letter, "--json")).out)
    assert (shown["is_whole"], shown["payload_bytes"]) == (False, len(large))
    assert (await operator("dead-letters", "replay", letter)).err == "1 message published again.\n"
    again = await js.get_last_msg(SEND_JOBS, "send.job.3.10")
    assert (again.data, again.seq) == (large, (await js.stream_info(SEND_JOBS)).state.last_seq)
    lost = await lay(streams, SEND_JOBS, "send.job.3.10", large, sequence=900_000)
    refused = await operator("dead-letters", "replay", lost)
    assert "too large to be kept whole, and has left SEND_JOBS" in refused.err


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("show", "5"), 1, "there is no dead letter 5"),
        (("show", "0"), 2, "greater than or equal to 1"),
        (("list", "--stream", "NOTHING"), 2, "'NOTHING' is none of"),
        (("replay",), 2, "give sequences of letters, or --all"),
        (("replay", "5", "--all"), 2, "give sequences of letters, or --all"),
        (("replay", "--stream", "RECEIPTS"), 2, "give sequences of letters, or --all"),
        (("list", "--nats-url", "nats://127.0.0.1:1"), 1, "cannot reach NATS"),
        (("list", "--nats-url", "nonsense:x"), 1, "cannot reach NATS"),
    ],
)
async def test_what_is_wrong_is_said(
    operator: Relaygram, streams: Bench, words: tuple[str, ...], status: int, said: str
) -> None:
    done = await operator("dead-letters", *words)
    assert (done.status, done.out) == (status, "")
    assert said in done.err


async def test_without_the_stream_it_says_how_to_make_it(operator: Relaygram, nats_server: NatsServer) -> None:
    for words in (("list",), ("show", "1"), ("replay", "1")):
        done = await operator("dead-letters", *words, "--nats-url", nats_server.url)
        assert done.status == 1
        assert done.err.splitlines() == [
            "relaygram: JetStream: stream not found",
            "  What to do: make what is missing: relaygram provision",
        ]


async def test_what_the_log_could_not_take_is_there_after_a_replay(
    operator: Relaygram, streams: Bench, fresh_database: Callable[[], Database], provisioned_nats: NatsServer
) -> None:
    """PostgreSQL refuses a row for a reason that goes away, here a mistaken constraint of somebody's."""
    campaign, database = new_campaign(), fresh_database()
    async with bench(provisioned_nats.url, database.dsn) as line, log_writer(provisioned_nats.url, database.log_writer):
        await line.connection.execute(
            f"alter table delivery.messages add constraint mistaken check (campaign_id <> {campaign})"
        )
        refused, broken = event("sent", campaign=campaign), event("sent", campaign=new_campaign())
        await line.publish([refused])
        await line.publish_raw(broken.subject, b'{"job_id": 5}')
        await line.drained()
        found = json.loads((await operator("dead-letters", "list", "--json")).out)
        reasons = {letter["subject"]: letter["reason"] for letter in found}
        assert "mistaken" in reasons[refused.subject]
        assert reasons[broken.subject].startswith("not a delivery event: ")
        assert await rows_of(line.connection, campaign) == []
        await line.connection.execute("alter table delivery.messages drop constraint mistaken")
        done = await operator("dead-letters", "replay", "--all", "--yes")
        assert done.err == "2 messages published again.\n"
        rows = await eventually(lambda: rows_of(line.connection, campaign), what="the row")
        assert [(row["job_id"], row["body"], row["status"]) for row in rows] == [(refused.job_id, "Hello", "sent")]
        await line.drained()
        # What is still wrong comes back as a new letter, and is not replayed for ever.
        assert [letter["subject"] for letter in json.loads((await operator("dead-letters", "list", "--json")).out)] == [
            broken.subject
        ]


async def test_nats_being_away_is_an_error(operator: Relaygram, streams: Bench, provisioned_nats: NatsServer) -> None:
    await lay(streams, SEND_JOBS, "send.job.3.11", b"x")
    provisioned_nats.kill()
    try:
        done = await operator("dead-letters", "replay", "--all", "--yes")
    finally:
        provisioned_nats.start()
    assert (done.status, "cannot reach NATS" in done.err) == (1, True)
    # nats-py leaves a socket behind when it is closed while it reconnects.
    await eventually(lambda: streams.client.is_connected, what="connected again")


async def test_a_replay_that_is_killed_is_begun_anew_and_loses_nothing(
    operator: Relaygram, streams: Bench, provisioned_nats: NatsServer
) -> None:
    js = streams.client.jetstream()
    wanted = [b"%d" % number for number in range(300)]
    for payload in wanted:
        await lay(streams, SEND_JOBS, "send.job.4.1", payload)
    command = [sys.executable, "-m", "relaygram_cli", "dead-letters", "replay", "--all", "--yes"]
    env = {**os.environ, "RELAYGRAM_NATS_URL": provisioned_nats.url}
    running = await asyncio.create_subprocess_exec(*command, env=env, stdout=-1, stderr=-1)

    async def published() -> int:
        info = await js.stream_info(SEND_JOBS, subjects_filter="send.job.4.1")
        return (info.state.subjects or {}).get("send.job.4.1", 0)

    await eventually(published, what="the first are published")
    if running.returncode is None:
        running.kill()
    await running.communicate()
    await operator("dead-letters", "replay", "--all", "--yes")
    assert await listed(operator) == []
    consumer = await js.pull_subscribe("send.job.4.1", stream=SEND_JOBS)
    stored = [message.data for message in await consumer.fetch(await published(), timeout=30)]
    assert sorted(set(stored), key=int) == wanted
    assert len(stored) <= len(wanted) + 1  # what was published when it was killed, and no more
    await consumer.unsubscribe()
