"""The api on a port: as a process of its own, or in this one, which starts 1.5 s of CPU sooner."""

import asyncio
import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import IO

from relaygram_common import identity
from relaygram_common.health import http_server, listen
from relaygram_common.runner import serving
from relaygram_local_stack import ports
from tests.api.support import EMAIL, KEY, Api
from tests.support.local_http import says_ok
from tests.support.servers import Database
from tests.support.waiting import eventually


@dataclass(frozen=True)
class Process:
    """A running api."""

    port: int
    health_port: int
    token: str
    password: str
    pid: int

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"

    async def raw(self, *pieces: bytes) -> bytes:
        """Send these bytes; the beginning of the answer."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
            async with asyncio.timeout(5):
                return await reader.readuntil(b"\r\n\r\n") + await reader.read(4096)
        finally:
            writer.close()

    def head(self, method: str, path: str, *headers: str, token: str | None = None) -> bytes:
        """The head of a request."""
        lines = [f"{method} {path} HTTP/1.1", "Host: api", *headers]
        lines += [f"Authorization: Bearer {token}"] if token else []
        return ("\r\n".join(lines) + "\r\n\r\n").encode()


def environment(database: Database, nats_url: str, port: int, health_port: int) -> dict[str, str]:
    """What an api of the tests is told."""
    return {
        **os.environ,
        "RELAYGRAM_POSTGRES_DSN": database.api,
        "RELAYGRAM_NATS_URL": nats_url,
        "RELAYGRAM_SECRET_KEYS": KEY,
        "RELAYGRAM_API_PORT": str(port),
        "RELAYGRAM_HEALTH_PORT": str(health_port),
        "RELAYGRAM_IMPORT_LEASE_SECONDS": "1",
        "RELAYGRAM_IMPORT_POLL_SECONDS": "0.2",
        "RELAYGRAM_RATE_LIMIT_PER_MINUTE": "0",
        "RELAYGRAM_CHANNEL_LOGS_PER_MINUTE": "0",
        "RELAYGRAM_SEND_LOGS_PER_MINUTE": "0",
    }


def start(env: dict[str, str], *, errors: int | IO[bytes] = subprocess.PIPE) -> "subprocess.Popen[bytes]":
    """Start an api and do not wait for it. A pipe that nobody reads is full after some dozen errors."""
    return subprocess.Popen([sys.executable, "-m", "relaygram_api"], env=env, stderr=errors)


async def is_ready(health_port: int) -> bool:
    """Whether it says so."""
    return await says_ok(f"http://127.0.0.1:{health_port}/readyz")


@asynccontextmanager
async def served_api(database: Database, nats_url: str, **settings: str) -> AsyncIterator[Process]:
    """A running api with a workspace, a user and a token; it must end well."""
    port = ports.free_port(frozenset())
    health_port = ports.free_port(frozenset({port}))
    made = await identity.bootstrap(database.dsn, workspace="first", email=EMAIL)
    token = await identity.create_token(database.dsn, EMAIL, "test", ["*"])
    with tempfile.TemporaryFile() as errors:
        running = start({**environment(database, nats_url, port, health_port), **settings}, errors=errors)
        try:
            await eventually(lambda: is_ready(health_port), 60)
            yield Process(port, health_port, token, made.password or "", running.pid)
        finally:
            running.terminate()
            await asyncio.to_thread(running.wait, timeout=15)
        errors.seek(0)
        told = errors.read().decode()
        assert running.returncode == 0, told
        assert "request.failed" not in told, told


@asynccontextmanager
async def served_here(api: Api) -> AsyncIterator[Process]:
    """An api of this process, served as its own process would do it; without a health page."""
    settings = api.parts.settings
    socket = listen("127.0.0.1", 0, setting="RELAYGRAM_API_PORT")
    server = http_server(
        api.transport.app,
        shutdown_seconds=settings.shutdown_seconds,
        head_seconds=settings.request_head_seconds,
        trusted_proxies=settings.trusted_proxies,
    )
    async with serving(server, socket):
        try:
            yield Process(socket.getsockname()[1], 0, api.token, api.password, os.getpid())
        finally:
            api.parts.streams.stop()
