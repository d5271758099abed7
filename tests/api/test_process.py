"""The api as a process, and what only a real server shows: raw requests, a taken port, PostgreSQL away."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx
import pytest

from relaygram_common import identity
from relaygram_local_stack.servers import NatsServer
from tests.api.support import EMAIL, KEY
from tests.support.servers import Database
from tests.support.waiting import eventually


@dataclass(frozen=True)
class Process:
    """A running api."""

    port: int
    health_port: int
    token: str

    async def raw(self, request: bytes) -> bytes:
        """Send these bytes; the beginning of the answer."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(request)
            await writer.drain()
            async with asyncio.timeout(5):
                return await reader.readuntil(b"\r\n\r\n") + await reader.read(4096)
        finally:
            writer.close()


def environment(database: Database, nats_url: str, port: int, health_port: int) -> dict[str, str]:
    return {
        **os.environ,
        "RELAYGRAM_POSTGRES_DSN": database.api,
        "RELAYGRAM_NATS_URL": nats_url,
        "RELAYGRAM_SECRET_KEYS": KEY,
        "RELAYGRAM_API_PORT": str(port),
        "RELAYGRAM_HEALTH_PORT": str(health_port),
    }


def start(env: dict[str, str]) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-m", "relaygram_api"], env=env, stderr=subprocess.PIPE)


@pytest.fixture(scope="module")
async def process(database: Database, provisioned_nats: NatsServer) -> AsyncIterator[Process]:
    from relaygram_local_stack import ports

    port = ports.free_port(frozenset())
    health_port = ports.free_port(frozenset({port}))
    await identity.bootstrap(database.dsn, workspace="first", email=EMAIL)
    token = await identity.create_token(database.dsn, EMAIL, "test", ["*"])
    running = start(environment(database, provisioned_nats.url, port, health_port))
    try:
        async with httpx.AsyncClient() as client:

            async def ready() -> bool:
                try:
                    return (await client.get(f"http://127.0.0.1:{health_port}/readyz")).status_code == 200
                except httpx.TransportError:
                    return False

            await eventually(ready, 20)
        yield Process(port, health_port, token)
    finally:
        running.terminate()
        _, errors = await asyncio.to_thread(running.communicate, timeout=15)
        assert running.returncode == 0, errors.decode()


async def test_it_answers(process: Process) -> None:
    answer = await process.raw(
        b"GET /api/v1/me HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization: Bearer "
        + process.token.encode()
        + b"\r\n\r\n"
    )
    assert answer.startswith(b"HTTP/1.1 200"), answer
