"""What outlives a kill -9, and how the process starts and ends."""

import asyncio
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from telethon import errors, events, functions, types

from tests.sandbox.support import SandboxProcess


async def test_a_kill_amid_sending_loses_and_doubles_nothing(sandbox: SandboxProcess) -> None:
    await sandbox.put("/settings", random_id_policy="replay")
    await sandbox.person(username="reader")
    await sandbox.person(username="slow", reply={"text": "due in the outage", "after_seconds": 1})
    async with sandbox.account() as client:
        received: asyncio.Queue[Any] = asyncio.Queue()
        client.add_event_handler(received.put, events.NewMessage(incoming=True))
        await client.send_message("slow", "-1")
        peer = await client.get_input_entity("reader")
        answered: list[str] = []
        enough = asyncio.Event()

        async def send(first: int) -> None:
            for number in range(first, 2000, 50):
                await client(functions.messages.SendMessageRequest(peer, str(number)))
                answered.append(str(number))
                if len(answered) > 500:
                    enough.set()

        sending = [asyncio.create_task(send(first)) for first in range(50)]
        await asyncio.wait_for(enough.wait(), 10)
        await sandbox.kill()
        answered_before = set(answered)
        await sandbox.start()
        first_rows = {row["text"] for row in await sandbox.get("/messages", limit=10_000)}
        assert answered_before <= first_rows
        await asyncio.wait_for(asyncio.gather(*sending), 20)
        # Telethon reconnects by itself, but fetches nothing of what it missed.
        await client.catch_up()
        assert (await asyncio.wait_for(received.get(), 10)).text == "due in the outage"
    rows = await sandbox.get("/messages", limit=10_000)
    texts = [row["text"] for row in rows if row["direction"] == "outbound"]
    assert sorted(texts, key=int) == [str(number) for number in range(-1, 2000)]
    assert (await sandbox.get("/stats"))["accepted"] == 2001


async def test_everything_but_connections_is_as_before_after_a_kill(sandbox: SandboxProcess) -> None:
    reader = await sandbox.person(username="reader", password="kept")
    info = await sandbox.get("/info")
    async with sandbox.account(username="writer") as client:
        await client.send_message("reader", "first")
        peer = await client.get_input_entity("reader")
        await client(functions.messages.SendMessageRequest(peer, "second", random_id=5))
        await sandbox.post(f"/users/{reader['id']}/read", {"peer_id": client.profile["id"]})
        await sandbox.put("/settings", random_id_memory_seconds=1000)
        fault = {"name": "late", "method": "updates.getState", "action": {"silent": True}, "after": 99}
        await sandbox.post("/faults", fault)
        state = await client(functions.updates.GetStateRequest())
        asked = ("/messages", "/stats", "/settings", f"/users/{reader['id']}")
        before = [await sandbox.get(path) for path in asked]
        faults = await sandbox.get("/faults")

        await sandbox.kill()
        await sandbox.start()

        assert await sandbox.get("/info") == info
        assert (await client(functions.updates.GetStateRequest())).pts == state.pts
        after = [await sandbox.get(path) for path in asked]
        before[1].pop("connections")
        after[1].pop("connections")
        assert after == before
        assert (await sandbox.get("/faults"))[0]["matched"] > faults[0]["matched"]
        again = functions.messages.SendMessageRequest(peer, "second", random_id=5)
        with pytest.raises(errors.RandomIdDuplicateError):
            await client._sender.send(again)
        assert (await client.send_message("reader", "third")).id == 3
        assert [message.text for message in await client.get_messages("reader", limit=9)] == [
            "third",
            "second",
            "first",
        ]
        difference = await client(functions.updates.GetDifferenceRequest(1, None, 0))
        assert [message.message for message in difference.new_messages] == ["first", "second", "third"]
        assert isinstance(difference.other_updates[0], types.UpdateReadHistoryOutbox)


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "relaygram_sandbox", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


async def test_what_stops_a_start_is_said_in_one_line(sandbox: SandboxProcess, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    control_port = sandbox.control_url.rpartition(":")[2]
    cases = {
        "MTProto port": {"--mtproto-port": str(sandbox.mtproto_port)},
        "control port": {"--control-port": control_port},
        "database is locked": {"--state": str(sandbox.state)},
        "File exists": {"--state": str(tmp_path / "file")},
        "invalid": {"--control-port": "http"},
    }
    usual = {"--mtproto-port": "0", "--control-port": "0", "--state": str(tmp_path / "new")}
    flat = [[word for pair in (usual | changed).items() for word in pair] for changed in cases.values()]
    ended = await asyncio.gather(*(asyncio.to_thread(_run, *arguments) for arguments in flat))
    for reason, process in zip(cases, ended, strict=True):
        assert process.returncode in (1, 2), reason
        assert process.stdout == ""
        assert reason in process.stderr.strip().splitlines()[-1]
        assert "Traceback" not in process.stderr


async def test_a_signal_during_the_start_is_obeyed(tmp_path: Path) -> None:
    ports = ("--mtproto-port", "0", "--control-port", "0")
    command = [sys.executable, "-m", "relaygram_sandbox", *ports, "--state", str(tmp_path)]
    process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)
    async with asyncio.timeout(10):
        while not (tmp_path / "sandbox.sqlite3").exists():  # noqa: ASYNC110 - another process makes it
            await asyncio.sleep(0.01)
        process.terminate()
        _, complaints = await process.communicate()
    assert (process.returncode, complaints) == (0, b"")


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="limits another process, as only Linux can")
async def test_a_full_disk_ends_the_sandbox_rather_than_the_truth(sandbox: SandboxProcess) -> None:
    room = sum(file.stat().st_size for file in sandbox.state.iterdir()) + 400_000
    resource.prlimit(sandbox.pid, resource.RLIMIT_FSIZE, (room, room))
    answered: set[str] = set()
    async with sandbox.account(client={"auto_reconnect": False}) as client:
        refused: Exception | None = None
        while refused is None and len(answered) < 2000:
            text = f"{len(answered)} " + "x" * 4000
            try:
                await client(functions.messages.SendMessageRequest("me", text))
                answered.add(text)
            except (OSError, EOFError) as error:
                refused = error
    assert await sandbox.wait() == 1
    assert "Traceback" not in sandbox.log_text()
    await sandbox.start()
    rows = await sandbox.get("/messages", limit=10_000)
    assert answered
    assert {row["text"] for row in rows} == answered
