"""From nothing to a running broadcast with the command alone, on a whole stack, at a terminal where one is needed."""

import asyncio
import fcntl
import json
import os
import pty
import signal
import sys
import termios
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.stack import RunningStack, running_stack

PHONE = "+4915166600001"
PASSWORD = "correct horse"


@pytest.fixture
async def stack(tmp_path: Path) -> AsyncIterator[RunningStack]:
    async with running_stack(tmp_path, {}) as running:
        yield running


@dataclass
class Terminal:
    """What a person sees and types."""

    screen: asyncio.StreamReader
    keyboard: int
    running: asyncio.subprocess.Process
    unread: str = ""

    async def until(self, wanted: str) -> str:
        """Read on until this stands on the screen."""
        async with asyncio.timeout(30):
            while wanted not in self.unread:
                piece = await self.screen.read(4096)
                assert piece, f"{wanted!r} never came: {self.unread}"
                self.unread += piece.decode()
        seen, _, self.unread = self.unread.partition(wanted)
        return seen + wanted

    def type(self, text: str) -> None:
        """And Enter."""
        os.write(self.keyboard, f"{text}\n".encode())

    async def interrupt(self) -> None:
        """Ctrl-C, again and again: Python misses one that comes just before it begins to read."""
        while self.running.returncode is None:
            os.write(self.keyboard, b"\x03")
            await asyncio.wait({asyncio.ensure_future(self.running.wait())}, timeout=0.5)


def _take_terminal(terminal: int) -> None:
    """So that Ctrl-C is a signal; also where the tests run in the background of a shell, which lets them ignore it."""
    fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGINT, signal.default_int_handler)


@asynccontextmanager
async def at_a_terminal(env: dict[str, str], *words: str, status: int = 0) -> AsyncIterator[Terminal]:
    """The command with a terminal of its own; it must end with this status."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "relaygram_cli", *words]
    running = await asyncio.create_subprocess_exec(
        *command, stdin=theirs, stdout=theirs, stderr=theirs, env=env, start_new_session=True,
        preexec_fn=lambda: _take_terminal(theirs),
    )  # fmt: skip
    screen = asyncio.StreamReader()
    master = os.fdopen(ours, "rb", buffering=0)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(screen), master
    )
    try:
        yield Terminal(screen, ours, running)
        assert await asyncio.wait_for(running.wait(), 30) == status
    finally:
        if running.returncode is None:
            running.kill()
            await running.wait()
        os.close(theirs)  # not before: what is read of a terminal that nobody holds is an error, with all before it
        transport.close()


async def run(env: dict[str, str], *words: str, stdin: str = "") -> str:
    """The command without a terminal; what it printed."""
    command = [sys.executable, "-m", "relaygram_cli", *words]
    running = await asyncio.create_subprocess_exec(*command, stdin=-1, stdout=-1, stderr=-1, env=env)
    out, err = await asyncio.wait_for(running.communicate(stdin.encode()), 60)
    assert running.returncode == 0, err.decode()
    return out.decode()


async def _log_in(env: dict[str, str], stack: RunningStack) -> None:
    """A workspace and a user of one's own; a log-in that is broken off, and one that is not."""
    owner = {**env, "RELAYGRAM_POSTGRES_DSN": stack.info["postgres_dsn"]}
    await run(owner, "workspace", "create", "Journeys")
    made = json.loads(
        await run(owner, "user", "create", "ann@example.com", "--workspace", "Journeys", "--generate", "--json")
    )
    async with at_a_terminal(env, "login", stack.info["api_url"], status=130) as terminal:
        await terminal.until("E-mail: ")
        await terminal.interrupt()
    async with at_a_terminal(env, "login", stack.info["api_url"]) as terminal:
        await terminal.until("E-mail: ")
        terminal.type("ann@example.com")
        await terminal.until("Password: ")
        terminal.type(made["password"])
        assert made["password"] not in await terminal.until("Logged in as ann@example.com")


async def _connect_account(env: dict[str, str], stack: RunningStack) -> int:
    async with at_a_terminal(env, "accounts", "connect", "--phone", PHONE) as terminal:
        await terminal.until("The code that Telegram sent: ")
        terminal.type("00000")
        await terminal.until("That code is wrong")
        await terminal.until("The code that Telegram sent: ")
        terminal.type((await stack.sandbox.get(f"/login-codes/{PHONE}")).json()["code"])
        await terminal.until("two-step password: ")
        terminal.type(PASSWORD)
        await terminal.until("is active")
    (account,) = json.loads(await run(env, "accounts", "list", "--json"))
    found: int = account["id"]
    return found


async def _tailed(env: dict[str, str], campaign: str, messages: int) -> list[str]:
    """The texts of so many sent messages, as `logs tail` shows them."""
    tail = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "relaygram_cli", "logs", "tail", campaign, "--status", "sent", "-n", "200", "--json",
        env=env, stdout=-1,
    )  # fmt: skip
    sent: dict[int, str] = {}
    async with asyncio.timeout(60):
        while len(sent) < messages:
            assert tail.stdout is not None
            row = json.loads(await tail.stdout.readline())
            sent[row["id"]] = row["body"]
    tail.terminate()
    await tail.communicate()
    return sorted(sent.values())


async def test_from_nothing_to_a_broadcast(stack: RunningStack, tmp_path: Path) -> None:
    home = str(tmp_path / "home")
    env = {
        **{name: value for name, value in os.environ.items() if not name.startswith("RELAYGRAM_")},
        "HOME": home, "XDG_CONFIG_HOME": home, "NO_COLOR": "1", "COLUMNS": "100", "TERM": "xterm",
    }  # fmt: skip
    me = {"phone": PHONE, "first_name": "Sender", "password": PASSWORD}
    (await stack.sandbox.post("/users", json=me)).raise_for_status()
    people = [{"username": f"journey_{number}", "first_name": f"P{number}"} for number in range(5)]
    (await stack.sandbox.post("/users", json=people)).raise_for_status()
    file = tmp_path / "people.csv"
    file.write_text("handle,first_name\n" + "".join(f"journey_{number},P{number}\n" for number in range(5)))

    await _log_in(env, stack)
    account, text = str(await _connect_account(env, stack)), "Journey to {{first_name}}"
    made = await run(env, "campaigns", "create", "--name", "Journey", "--account", account, "--text", text, "--json")
    campaign = str(json.loads(made)["id"])
    async with at_a_terminal(env, "contacts", "import", campaign, str(file)) as terminal:
        await terminal.until("5 lines: 5 accepted, 0 duplicates, 0 rejected.")
    test = json.loads(await run(env, "campaigns", "test", campaign, "@journey_0", "--with", "first_name=Me", "--json"))
    assert (test["status"], test["body"]) == ("sent", "Journey to Me")
    await run(env, "campaigns", "start", campaign)
    assert await _tailed(env, campaign, 5) == [f"Journey to P{number}" for number in range(5)]
    found = json.loads(await run(env, "doctor", "--ready-file", str(stack.ready_file), "--json"))
    assert {one["check"] for one in found if one["status"] != "ok"} == {"settings", "secret keys"}
