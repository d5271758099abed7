"""The log at the terminal: listed, and followed until Ctrl-C."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.api.log_rows import row, write_log
from tests.api.served import Process
from tests.api.support import Api
from tests.cli.conftest import Relaygram
from tests.cli.terminal import Terminal


@asynccontextmanager
async def following(process: Process, *words: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """`relaygram logs tail …` as a process of its own."""
    env = {**os.environ, "RELAYGRAM_API_URL": process.url, "RELAYGRAM_API_TOKEN": process.token}
    command = [sys.executable, "-m", "relaygram_cli", "logs", "tail", *words]
    tail = await asyncio.create_subprocess_exec(
        *command,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=env,
        # Where the tests run in the background of a shell, it lets them ignore Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    try:
        yield tail
    finally:
        if tail.returncode is None:
            tail.kill()
            await tail.communicate()


async def lines(tail: asyncio.subprocess.Process, number: int) -> list[str]:
    assert tail.stdout is not None
    async with asyncio.timeout(30):
        return [(await tail.stdout.readline()).decode() for _ in range(number)]


async def test_the_log_is_listed_and_filtered(logged_in: Relaygram, api: Api) -> None:
    campaign = (await api.campaign())["id"]
    failed = row(campaign, "failed", error_code="PEER_FLOOD", error_message="Wait.", sender_id=7, body="Hello")
    await write_log(api, [row(campaign, "sent", body="\x1b[2Jcleared?"), failed])
    shown = (await logged_in("logs", "list", campaign)).out
    assert "PEER_FLOOD" in shown
    assert "\x1b" not in shown
    assert r"\x1b[2Jcleared?" in shown
    (only,) = json.loads((await logged_in("logs", "list", campaign, "--code", "PEER_FLOOD", "--json")).out)
    assert (only["status"], only["sender_id"]) == ("failed", 7)
    newest = json.loads((await logged_in("logs", "list", campaign, "--newest", "-n", 1, "--json")).out)
    assert newest[0]["id"] == only["id"]


async def test_a_tail_shows_the_last_rows_then_each_new_one_and_ends_quietly(process: Process, api: Api) -> None:
    campaign = (await api.campaign())["id"]
    await write_log(api, [row(campaign, "sent", body=f"Old {number}") for number in range(5)])
    async with following(process, str(campaign), "--last", "2", "--json") as tail:
        assert [json.loads(line)["body"] for line in await lines(tail, 2)] == ["Old 3", "Old 4"]
        new = row(campaign, "queued", body="New")
        await write_log(api, [new])
        await write_log(api, [{**row(campaign, "sent", body="New"), "job_id": new["job_id"]}])
        seen = [json.loads((await lines(tail, 1))[0])]
        if seen[0]["status"] == "pending":  # else it was sent before it was told
            seen += [json.loads((await lines(tail, 1))[0])]
        assert (seen[-1]["body"], seen[-1]["status"]) == ("New", "sent")
        tail.send_signal(signal.SIGINT)
        rest, errors = await tail.communicate()
    assert (tail.returncode, rest, errors) == (130, b"", b"")


async def test_a_tail_of_what_was_sent_misses_nothing_that_was_pending_first(process: Process, api: Api) -> None:
    campaign = (await api.campaign())["id"]
    first, second = row(campaign, "queued", body="First"), row(campaign, "queued", body="Second")
    await write_log(api, [first, second, row(campaign, "sent", body="Before")])
    async with following(process, str(campaign), "--last", "1", "--status", "sent") as tail:
        assert "Before" in (await lines(tail, 1))[0]
        # Out of the order in which they were made: what was made first is sent last.
        for queued in (second, first):
            await write_log(api, [{**row(campaign, "sent", body=queued["body"]), "job_id": queued["job_id"]}])
            assert queued["body"] in (await lines(tail, 1))[0]


async def test_a_tail_goes_on_after_a_revision(process: Process, api: Api) -> None:
    campaign = (await api.campaign())["id"]
    await write_log(api, [row(campaign, "sent", body=f"Old {number}") for number in range(5)])
    revisions = [one["revision"] for one in await api.data("GET", f"/campaigns/{campaign}/logs")]
    async with following(process, str(campaign), "--since-revision", str(revisions[2]), "--json") as tail:
        assert [json.loads(line)["body"] for line in await lines(tail, 2)] == ["Old 3", "Old 4"]
    async with following(process, str(campaign), "--since-revision", "0", "--search", "old 4") as tail:
        assert "Old 4" in (await lines(tail, 1))[0]


async def test_a_tail_of_nothing_says_so(logged_in: Relaygram) -> None:
    done = await logged_in("logs", "tail", 999_999)
    assert (done.status, done.out) == (1, "")
    assert "relaygram: " in done.err


async def test_a_tail_is_coloured_where_somebody_looks_and_ends_with_ctrl_c(process: Process, api: Api) -> None:
    campaign = (await api.campaign())["id"]
    await write_log(api, [row(campaign, "sent", body="Hello"), row(campaign, "failed", error_code="PEER_FLOOD")])
    with Terminal(process, "logs", "tail", str(campaign)) as terminal:
        await asyncio.to_thread(terminal.read_until, b"PEER_FLOOD")
        terminal.press(b"\x03")
        assert await asyncio.to_thread(terminal.wait) == 130
    assert b"\x1b[32msent" in terminal.shown
    assert b"\x1b[31mfailed" in terminal.shown
    assert b"Traceback" not in terminal.shown


async def test_a_reader_that_goes_away_is_no_error(process: Process, api: Api) -> None:
    campaign = (await api.campaign())["id"]
    await write_log(api, [row(campaign, "sent", body="x" * 500) for _ in range(3)])
    async with following(process, str(campaign)) as tail:
        await lines(tail, 3)
        assert tail.stdout is not None
        tail.stdout._transport.close()  # type: ignore[attr-defined]  # as `| head -3` does
        await write_log(api, [row(campaign, "sent", body="y") for _ in range(3)])
        assert tail.stderr is not None
        async with asyncio.timeout(30):
            assert await tail.stderr.read() == b""
            assert await tail.wait() == 1
