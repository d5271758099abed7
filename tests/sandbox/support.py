"""A sandbox in a process of its own, and unmodified Telethon clients for it."""

import asyncio
import contextlib
import logging
import re
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
from telethon import TelegramClient
from telethon.crypto import rsa
from telethon.sessions import StringSession

from tests.support.local_http import local_client

_STARTED = re.compile(r"MTProto on ([\d.]+):(\d+), control on (http://\S+)")
_START_SECONDS = 60
_STOP_SECONDS = 60
# What Telethon says when a server breaks the protocol; it then drops the packet without another word.
_PROTOCOL_COMPLAINTS = ("Security error", "Server resent", "very old message", "Fatal error", "could not find")
# A lost connection's outgoing queue goes out on the next one, encrypted for the MTProto session that ended with it; the
# answer rightly names that one. Nothing was broken then, and Telethon asks again.
_CONNECTION_LOST = ("Server closed the connection", "at connecting failed")
_FORMER_SESSION = "wrong session ID"

Json = dict[str, Any]


class SandboxProcess:
    """Starts on free ports, and again on the same ones and the same state after a kill."""

    def __init__(self, state: Path, *arguments: str) -> None:
        self.state = state
        self.host = "127.0.0.1"
        self.mtproto_port = 0
        self.control_url = ""
        self.control: httpx.AsyncClient
        self._arguments = arguments
        self._process: subprocess.Popen[str] | None = None
        self._log = state.parent / f"{state.name}.log"

    @property
    def pid(self) -> int:
        """Of the process that runs now."""
        assert self._process is not None
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether the process is there."""
        return self._process is not None and self._process.poll() is None

    async def start(self) -> None:
        """Start the process, wait until it can be reached, and attach to it."""
        await asyncio.to_thread(self.launch)
        await self.attach()

    def launch(self) -> None:
        """Start the process and wait until it can be reached."""
        control_port = httpx.URL(self.control_url).port if self.control_url else 0
        command = [sys.executable, "-m", "relaygram_sandbox", "--state", str(self.state)]
        command += ["--mtproto-port", str(self.mtproto_port), "--control-port", str(control_port or 0)]
        with self._log.open("a") as log:
            self._process = subprocess.Popen(
                [*command, *self._arguments], stdout=subprocess.PIPE, stderr=log, text=True
            )
        assert self._process.stdout is not None
        deadline = threading.Timer(_START_SECONDS, self._process.kill)
        deadline.start()
        line = self._process.stdout.readline()
        deadline.cancel()
        found = _STARTED.search(line)
        assert found, f"{line!r} {self.log_text()}"
        self.host, self.mtproto_port, self.control_url = found[1], int(found[2]), found[3]

    async def attach(self) -> None:
        """Open the control client, and make Telethon trust this sandbox."""
        self.control = local_client(base_url=self.control_url, timeout=10)
        TelegramClient._config = None  # cached on the class: it would name another sandbox's port
        rsa.add_key((await self.get("/info"))["public_key_pem"], old=False)

    async def kill(self) -> None:
        """kill -9."""
        assert self._process is not None
        self._process.kill()
        await self.wait()

    async def stop(self) -> int:
        """SIGTERM; the exit status."""
        await self.control.aclose()
        return await asyncio.to_thread(self.terminate)

    async def wait(self) -> int:
        """Wait until the process has ended; the exit status."""
        await self.control.aclose()
        return await asyncio.to_thread(self._reap)

    def terminate(self) -> int:
        """SIGTERM to a sandbox that nobody is attached to; the exit status."""
        assert self._process is not None
        self._process.terminate()
        return self._reap()

    def _reap(self) -> int:
        assert self._process is not None
        assert self._process.stdout is not None
        status = self._process.wait(_STOP_SECONDS)
        self._process.stdout.close()
        return status

    def log_text(self) -> str:
        """What all processes of this sandbox wrote to stderr."""
        return self._log.read_text()

    async def request(self, method: str, path: str, **options: Any) -> Any:
        """A control request that must succeed; its answer."""
        answer = await self.control.request(method, path, **options)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    async def get(self, path: str, **query: Any) -> Any:
        """GET, which must succeed."""
        return await self.request("GET", path, params=query)

    async def post(self, path: str, body: Any = None) -> Any:
        """POST, which must succeed."""
        return await self.request("POST", path, json=body)

    async def put(self, path: str, **body: Any) -> Any:
        """PUT, which must succeed."""
        return await self.request("PUT", path, json=body)

    async def person(self, **fields: Any) -> Json:
        """A new person."""
        made: Json = await self.post("/users", {"first_name": "Someone", **fields})
        return made

    async def session_of(self, person: Json) -> str:
        """A ready session for a person."""
        made = await self.post(f"/users/{person['id']}/session")
        return str(made["session_string"])

    def client(self, session: str | None = None, **options: Any) -> Any:
        """A Telethon client, not yet connected, that fails rather than waits."""
        stored = StringSession(session)
        stored.set_dc(2, self.host, self.mtproto_port)
        settings = {
            "flood_sleep_threshold": 0,
            "request_retries": 0,
            "raise_last_call_error": True,
            "connection_retries": 20,
            "retry_delay": 0.1,
            **options,
        }
        return TelegramClient(stored, 1, "hash", **settings)

    @contextlib.asynccontextmanager
    async def connected(self, session: str | None = None, **options: Any) -> AsyncIterator[Any]:
        """A connected client, disconnected at the end."""
        client = self.client(session, **options)
        try:
            async with asyncio.timeout(10):
                await client.connect()
            yield client
        finally:
            await client.disconnect()

    @contextlib.asynccontextmanager
    async def account(self, **fields: Any) -> AsyncIterator[Any]:
        """A new account with a connected client; its profile is the client's `profile`."""
        options = fields.pop("client", {})
        person = await self.person(**fields)
        async with self.connected(await self.session_of(person), **options) as client:
            client.profile = person
            yield client


class ProtocolComplaints(logging.Handler):
    """Collects what Telethon logs when the server breaks the protocol."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.heard: list[str] = []
        self._has_lost_a_connection = False

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the line when it is a complaint."""
        text = record.getMessage()
        if any(sign in text for sign in _CONNECTION_LOST):
            self._has_lost_a_connection = True
        if self._has_lost_a_connection and _FORMER_SESSION in text:
            return
        if any(complaint in text for complaint in _PROTOCOL_COMPLAINTS):
            self.heard.append(text)
