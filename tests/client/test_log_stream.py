"""Following a log live: over connections that break, against the real api and against servers that misbehave."""

import asyncio
import json
import random
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest

from relaygram_client import (
    LogRow,
    NoAnswerError,
    NotFoundError,
    Relaygram,
    UnauthenticatedError,
    UnexpectedAnswerError,
)
from relaygram_local_stack.servers import NatsServer
from tests.api.log_rows import row, write_log
from tests.api.served import Process, served_api
from tests.api.streams import metric
from tests.api.support import Api
from tests.client.cutting_proxy import cutting
from tests.support.servers import Database
from tests.support.waiting import eventually

ROW: dict[str, Any] = {
    "id": 1, "campaign_id": 7, "sender_id": None, "direction": "outbound", "body": "x", "status": "sent",
    "telegram_message_id": None, "triggered_by_message_id": None, "sequence_step": 0, "error": None, "sent_at": None,
    "created_at": "2026-01-01T00:00:00.000001Z", "revision": 1, "attempts": 1, "read_at": None, "replied_at": None,
    "job_id": "x",
}  # fmt: skip


@pytest.fixture(scope="module")
async def process(database: Database, provisioned_nats: NatsServer) -> AsyncIterator[Process]:
    """An api with sockets."""
    async with served_api(database, provisioned_nats.url) as running:
        yield running


async def test_a_stream_over_a_broken_line_tells_every_change_in_order_and_once(process: Process, api: Api) -> None:
    campaign = (await api.campaign())["id"]
    chance = random.Random(6)  # noqa: S311 - the same each time
    budgets = iter([chance.randrange(200, 6000) for _ in range(25)])

    async def write() -> None:
        jobs = [row(campaign, "queued", body=f"Text\u2028{number}\r\n") for number in range(200)]
        for begin in range(0, 200, 10):
            await write_log(api, jobs[begin : begin + 10])
            sent = [{**row(campaign, "sent"), "job_id": one["job_id"]} for one in jobs[:begin] if chance.random() < 0.2]
            await write_log(api, sent or jobs[:1])
            await asyncio.sleep(0.05)
        await write_log(api, [row(campaign, "sent", body="the end")])

    rows: list[LogRow] = []
    async with cutting(process.port, budgets) as proxy, Relaygram(proxy.url, process.token) as relaygram:
        writing = asyncio.create_task(write())
        async with asyncio.timeout(90), aclosing(relaygram.logs.stream(campaign, changed_since=0)) as stream:
            async for one in stream:
                rows.append(one)
                if one.body == "the end":
                    break
        await writing
        now = {one.id: one async for one in relaygram.logs.list(campaign)}
    assert proxy.cuts >= 10
    revisions = [one.revision for one in rows]
    assert revisions == sorted(set(revisions))
    assert {one.id: one for one in rows} == now
    assert len(now) == 201


async def test_without_a_revision_it_begins_now_also_when_the_line_breaks_before_anything_came(
    process: Process, api: Api
) -> None:
    campaign = (await api.campaign())["id"]
    await write_log(api, [row(campaign, "sent", body="before")])
    async with cutting(process.port, iter([])) as proxy, Relaygram(proxy.url, process.token) as relaygram:
        stream = relaygram.logs.stream(campaign)
        first = asyncio.ensure_future(anext(stream))
        await eventually(lambda: proxy.connections == 1 and _streams(process), what="the stream is open")
        await asyncio.sleep(0.2)  # its beginning is read
        await proxy.cut_all()
        await write_log(api, [row(campaign, "sent", body="while it was away")])
        async with asyncio.timeout(30):
            assert (await first).body == "while it was away"
        await stream.aclose()


async def test_what_the_api_refuses_is_raised(process: Process, api: Api) -> None:
    async with Relaygram(process.url, process.token) as relaygram:
        with pytest.raises(NotFoundError):
            await anext(relaygram.logs.stream(999_999))
    async with Relaygram(process.url, "1|wrong") as relaygram:
        with pytest.raises(UnauthenticatedError, match="Unauthenticated"):
            await anext(relaygram.logs.stream(1))


async def test_a_ticket_opens_the_stream_without_a_token(process: Process, api: Api) -> None:
    campaign = (await api.campaign())["id"]
    async with Relaygram(process.url, process.token) as relaygram:
        ticket = await relaygram.logs.stream_ticket(campaign)
    head = process.head("GET", f"/api/v1/campaigns/{campaign}/logs/stream?ticket={ticket.ticket}")
    assert (await process.raw(head)).startswith(b"HTTP/1.1 200")


def events(*revisions: int, retry: int = 10) -> bytes:
    told = [f"id: {revision}\ndata: {json.dumps({**ROW, 'revision': revision})}\n\n" for revision in revisions]
    return (f"retry: {retry}\nid: 0\n\n" + "".join(told)).encode()


def streamed(body: bytes, status: int = 200, kind: str = "text/event-stream", *headers: str) -> bytes:
    """Without a length: it ends with the connection."""
    return "\r\n".join([f"HTTP/1.1 {status} X", f"Content-Type: {kind}", *headers, "", ""]).encode() + body


SILENT = b"(silent)"


@asynccontextmanager
async def telling(*answers: bytes, **options: Any) -> AsyncIterator[tuple[list[str | None], Relaygram]]:
    """Each connection gets the next answer, the last one for ever; which Last-Event-ID each came with."""
    asked: list[str | None] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines = (await reader.readuntil(b"\r\n\r\n")).decode().lower().splitlines()
        answer = answers[min(len(asked), len(answers) - 1)]
        asked.append(next((line.partition(": ")[2] for line in lines if line.startswith("last-event-id")), None))
        writer.write(answer.removesuffix(SILENT))
        await writer.drain()
        if answer.endswith(SILENT):
            await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server, Relaygram(url, "1|x", **options) as relaygram:
        yield asked, relaygram


async def taken(relaygram: Relaygram, number: int, **options: Any) -> list[int]:
    """Revisions of the first rows."""
    async with asyncio.timeout(30), aclosing(relaygram.logs.stream(7, **options)) as stream:
        return [(await anext(stream)).revision for _ in range(number)]


@pytest.mark.parametrize(
    "second",
    [
        streamed(events(4, 5, 6)),
        streamed(events(6, 7)),
        streamed(b'{"message": "Away."}', 503, "application/json", "Retry-After: 0"),
        streamed(b"<html>bad gateway", 502, "text/html"),
        streamed(events() + b'id: 6\ndata: {"id": 1, "camp'),
        b"",
        streamed(events()) + SILENT,
    ],
    ids=["doubles", "all well", "unavailable", "a proxy alone", "torn", "dropped", "silent"],
)
async def test_it_goes_on_where_it_was(second: bytes) -> None:
    async with telling(streamed(events(3, 4, 5)), second, streamed(events(5, 6, 7))) as (asked, relaygram):
        assert await taken(relaygram, 5, changed_since=2, silence_seconds=0.3) == [3, 4, 5, 6, 7]
    assert asked[:2] == ["2", "5"]


async def test_a_heartbeat_is_a_sign_of_life() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        connections.append(1)
        writer.write(streamed(events()))
        for _ in range(8):
            await asyncio.sleep(0.25)
            writer.write(b": heartbeat\n\n")
        writer.write(events(9))
        await reader.read()
        writer.close()

    connections: list[int] = []
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server, Relaygram(url, "1|x") as relaygram:
        assert await taken(relaygram, 1, silence_seconds=1.5) == [9]
    assert len(connections) == 1


async def test_an_outage_that_lasts_too_long_is_raised() -> None:
    away = streamed(b'{"message": "Away."}', 503, "application/json")
    async with telling(streamed(events(3)), away) as (asked, relaygram):
        with pytest.raises(Exception, match="Away"):
            await taken(relaygram, 2, changed_since=0, longest_outage_seconds=1.0)
    assert 2 < len(asked) < 12
    async with telling(streamed(events(3)), streamed(events())) as (asked, relaygram):
        with pytest.raises(NoAnswerError, match="ends the stream again and again"):
            await taken(relaygram, 2, changed_since=0, longest_outage_seconds=1.0)
    assert 2 < len(asked) < 12


async def test_a_token_that_was_revoked_meanwhile_ends_it() -> None:
    refused = streamed(b'{"message": "Unauthenticated."}', 401, "application/json")
    async with telling(streamed(events(3)), refused) as (_, relaygram):
        with pytest.raises(UnauthenticatedError):
            await taken(relaygram, 2, changed_since=0)


async def test_what_was_never_there_is_given_up_as_any_call_is() -> None:
    async with telling(b"", attempts=3) as (asked, relaygram):
        with pytest.raises(NoAnswerError):
            await taken(relaygram, 1)
    assert len(asked) == 3


@pytest.mark.parametrize("answer", [streamed(b"{}", 200, "application/json"), streamed(b"id: 5\ndata: {}\n\n")])
async def test_what_is_no_stream_of_rows_is_an_error_of_ours(answer: bytes) -> None:
    async with telling(answer) as (_, relaygram):
        with pytest.raises(UnexpectedAnswerError, match="stream"):
            await taken(relaygram, 1, changed_since=0)


async def _streams(process: Process) -> bool:
    return await metric(process, "relaygram_log_streams ") == 1
