"""What is called again, when, and what never is: against a real server that misbehaves as told."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from relaygram_client import (
    ConflictError,
    NoAnswerError,
    RateLimitedError,
    Relaygram,
    UnavailableError,
    UnexpectedAnswerError,
)
from relaygram_client.retries import RetryPolicy, backoff_seconds, retry_after_seconds

ME = (
    b'{"data": {"id": 1, "email": "a@b", "name": "a", "workspace": {"id": 1, "name": "w"}, "news": 5,'
    b' "token": {"id": 1, "name": "t", "abilities": ["*"], "expires_at": null}}, "meta": {}}'
)


def answer(status: int, body: bytes = b'{"message": "Not now.", "code": "not_now"}', *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} X", "Content-Type: application/json", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


DROPPED = b""


@dataclass
class Server:
    """Answers each request with the next of its answers; an empty one drops the connection after the request."""

    answers: list[bytes]
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    url: str = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                first, *lines = head.decode().strip().split("\r\n")
                headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
                if headers.get("transfer-encoding") == "chunked":
                    await reader.readuntil(b"0\r\n\r\n")
                if "content-length" in headers:
                    await reader.readexactly(int(headers["content-length"]))
                self.requests.append((first, headers))
                following = self.answers.pop(0)
                if following == DROPPED:
                    return
                writer.write(following)
                await writer.drain()
        except asyncio.IncompleteReadError:
            return
        finally:
            writer.close()


@asynccontextmanager
async def answering(*answers: bytes, **options: float) -> AsyncIterator[tuple[Server, Relaygram]]:
    told = Server(list(answers))
    server = await asyncio.start_server(told.serve, "127.0.0.1", 0)
    told.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server, Relaygram(told.url, "1|x", **options) as relaygram:  # type: ignore[arg-type]
        yield told, relaygram


async def test_a_read_is_asked_again_when_the_connection_drops_and_when_the_database_is_away() -> None:
    async with answering(DROPPED, answer(503), answer(200, ME)) as (server, relaygram):
        assert (await relaygram.session.me()).email == "a@b"
    assert len(server.requests) == 3


async def test_a_post_is_repeated_with_one_key_and_two_posts_have_two() -> None:
    gone = answer(404)
    async with answering(DROPPED, answer(429, b'{"message": "Slow."}', "Retry-After: 0"), gone, gone) as (
        server,
        relaygram,
    ):
        for _ in range(2):
            with pytest.raises(Exception, match="Not now"):
                await relaygram.campaigns.start(7)
    keys = [headers["idempotency-key"] for _, headers in server.requests]
    assert keys[0] == keys[1] == keys[2] != keys[3]


async def test_a_login_is_never_repeated_once_it_was_sent() -> None:
    async with answering(DROPPED) as (server, relaygram):
        with pytest.raises(NoAnswerError):
            await relaygram.session.login("a@b", "x", device_name="d")
    assert len(server.requests) == 1
    assert "idempotency-key" not in server.requests[0][1]


async def test_a_patch_is_repeated_only_when_nothing_was_done() -> None:
    slow = answer(429, b'{"message": "Slow."}', "Retry-After: 0")
    async with answering(slow, answer(503)) as (server, relaygram):
        with pytest.raises(UnavailableError):
            await relaygram.accounts.update(1, name="x")
    assert len(server.requests) == 2


async def test_a_body_that_can_be_had_once_is_sent_once_even_when_nothing_was_done() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"handle\n"

    slow = answer(429, b'{"message": "Slow."}', "Retry-After: 0")
    async with answering(slow, slow) as (server, relaygram):
        with pytest.raises(RateLimitedError):
            await relaygram.contacts.import_csv(7, pieces())
        assert len(server.requests) == 1
    async with answering(slow, slow, attempts=2) as (server, relaygram):
        with pytest.raises(RateLimitedError):
            await relaygram.contacts.import_csv(7, b"handle\n")
        assert len(server.requests) == 2


async def test_a_delete_whose_answer_was_lost_may_find_nothing_left() -> None:
    async with answering(DROPPED, answer(404)) as (_, relaygram):
        await relaygram.campaigns.delete(7)
    async with answering(answer(429, b'{"message": "x"}', "Retry-After: 0"), answer(404)) as (_, relaygram):
        with pytest.raises(Exception, match="Not now"):
            await relaygram.campaigns.delete(7)


async def test_the_first_request_with_the_key_is_waited_for_and_other_conflicts_are_not() -> None:
    under_way = answer(409, b'{"message": "Still running.", "code": "idempotency_key_in_use"}')
    async with answering(DROPPED, under_way, answer(409)) as (server, relaygram):
        with pytest.raises(ConflictError, match="Not now"):
            await relaygram.campaigns.start(7)
    assert len(server.requests) == 3


async def test_attempts_and_waits_are_bounded() -> None:
    async with answering(*[answer(503, b'{"message": "Away."}', "Retry-After: 0")] * 9, attempts=3) as (
        server,
        relaygram,
    ):
        with pytest.raises(UnavailableError, match="Away"):
            await relaygram.session.me()
        assert len(server.requests) == 3
    async with answering(answer(429, b'{"message": "Slow."}', "Retry-After: 3600")) as (server, relaygram):
        with pytest.raises(RateLimitedError) as slow:
            await relaygram.session.me()
    assert slow.value.retry_after == 3600
    assert len(server.requests) == 1


async def test_a_server_that_is_silent_is_given_up_after_the_timeout() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server, Relaygram(url, "1|x", timeout_seconds=0.1, attempts=2) as relaygram:
        with pytest.raises(NoAnswerError, match="did not answer in time"):
            await relaygram.session.me()


async def test_nobody_there_is_an_error_of_ours() -> None:
    async with Relaygram("http://127.0.0.1:1", attempts=2) as relaygram:
        with pytest.raises(NoAnswerError, match="can not be reached"):
            await relaygram.session.me()


async def test_the_token_goes_nowhere_else() -> None:
    away = answer(307, b"", "Location: http://127.0.0.1:1/elsewhere")
    async with answering(away) as (_, relaygram):
        with pytest.raises(UnexpectedAnswerError, match="redirects to"):
            await relaygram.session.me()


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"null", b'{"data": 5}', b'{"data": {"id": "x"}}'])
async def test_what_is_not_relaygram_is_an_error_of_ours(body: bytes) -> None:
    async with answering(answer(200, body)) as (_, relaygram):
        with pytest.raises(UnexpectedAnswerError):
            await relaygram.session.me()
    async with answering(answer(502, body)) as (_, relaygram):
        with pytest.raises(UnexpectedAnswerError, match="502"):
            await relaygram.session.me()


async def test_a_newer_servers_fields_are_kept() -> None:
    async with answering(answer(200, ME)) as (_, relaygram):
        me = await relaygram.session.me()
    assert me.as_json()["news"] == 5


@pytest.mark.parametrize(
    "url", ["", "relaygram.example.com", "ftp://x", "http://", "http://user:secret@x", "http://x?y=1", "http://x:no"]
)
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="is not an address"):
        Relaygram(url)


def test_the_base_path_may_be_given_or_not() -> None:
    assert Relaygram("https://x.example/api/v1/").url == Relaygram("https://x.example").url == "https://x.example"


def test_back_off_grows_to_a_bound_and_dates_are_understood() -> None:
    for attempt in range(1, 20):
        assert 0.1 < backoff_seconds(attempt) <= 8
    assert retry_after_seconds("Wed, 21 Oct 2015 07:28:00 GMT") == 0
    assert [retry_after_seconds(text) for text in (None, "x", "-1", "7")] == [None, None, None, 7]
    assert RetryPolicy().wait_after_answer(503, None, attempt=5, repeatable=True) is None
