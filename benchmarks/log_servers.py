"""PostgreSQL and NATS alone, for the measurements of the log: durable, and without the rest of the stack."""

import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import nats
from nats.js.client import JetStreamContext
from nats.js.errors import NotFoundError

from relaygram_common.database import migrate
from relaygram_common.topology import CONSUMERS, DELIVERY_EVENTS, LOG_WRITER, provision
from relaygram_local_stack.ports import free_port
from relaygram_local_stack.servers import NatsServer, Postgres

_READY_SECONDS = 20.0
_ANSWER_SECONDS = 10.0
_LOG_WRITER = (DELIVERY_EVENTS, LOG_WRITER)
# As on a small server: with a laptop's 128 MB a large log is read from the system's cache all the time.
_POSTGRES = {"shared_buffers": "1GB", "effective_cache_size": "4GB", "max_wal_size": "8GB"}


@dataclass(frozen=True, slots=True)
class LogServers:
    """Where they are."""

    nats_url: str
    postgres: Postgres

    def database(self, name: str) -> None:
        """A migrated database of this name."""
        self.postgres.ensure_database(name)
        migrate.upgrade(self.postgres.dsn(name))


@contextmanager
def log_servers() -> Iterator[LogServers]:
    """Fresh ones, gone at the end."""
    with (
        tempfile.TemporaryDirectory(prefix="relaygram-bench-") as name,
        NatsServer(Path(name) / "nats") as nats_server,
        Postgres(Path(name) / "postgres", settings=_POSTGRES) as postgres,
    ):
        asyncio.run(provision(nats_server.url))
        yield LogServers(nats_server.url, postgres)


@asynccontextmanager
async def jetstream(nats_url: str) -> AsyncIterator[JetStreamContext]:
    """A connection of the measurement's own."""
    client = await nats.connect(nats_url)
    try:
        yield client.jetstream(timeout=_ANSWER_SECONDS)
    finally:
        await client.close()


@asynccontextmanager
async def log_writer(servers: LogServers, database: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """The log-writer as it is run: a process of its own, with the settings it has by default."""
    port = free_port()
    wiring = {
        "RELAYGRAM_NATS_URL": servers.nats_url,
        "RELAYGRAM_POSTGRES_DSN": servers.postgres.dsn(database, "relaygram_log_writer"),
        "RELAYGRAM_HEALTH_PORT": str(port),
        "RELAYGRAM_LOG_LEVEL": "WARNING",
    }
    async with process("relaygram_log_writer", wiring) as running, httpx.AsyncClient() as client:
        async with asyncio.timeout(_READY_SECONDS):
            while not await _is_ready(client, f"http://127.0.0.1:{port}/readyz"):  # noqa: ASYNC110 - a process has no event
                await asyncio.sleep(0.02)
        yield running


@asynccontextmanager
async def process(module: str, wiring: dict[str, str], *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """`python -m module`, ended at the end."""
    running = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, *arguments, env={**os.environ, **wiring}
    )
    try:
        yield running
    finally:
        if running.returncode is None:
            running.terminate()
        await running.wait()


async def new_consumer(js: JetStreamContext, name: str) -> None:
    """A consumer of all delivery events from the first, set like the log-writer's; one of this name goes."""
    with suppress(NotFoundError):
        await js.delete_consumer(DELIVERY_EVENTS, name)
    settings = next(config for stream, config in CONSUMERS if (stream, config.durable_name) == _LOG_WRITER)
    await js.add_consumer(DELIVERY_EVENTS, settings.evolve(durable_name=name))


async def _is_ready(client: httpx.AsyncClient, url: str) -> bool:
    try:
        return (await client.get(url)).is_success
    except httpx.TransportError:
        return False
