"""The wiring: PostgreSQL, the outbox relay over NATS, the import worker, and HTTP in front."""

import asyncio
import zoneinfo
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from relaygram_api.adapters.http_media import media_fetcher
from relaygram_api.adapters.nats_outbox import NatsOutbox
from relaygram_api.adapters.pg_workspace import Database, Pool
from relaygram_api.core.rate_limit import Rate
from relaygram_api.import_worker import ImportWorker
from relaygram_api.limiter import LoginLimiter, RateLimiter
from relaygram_api.log_exports import LogExports
from relaygram_api.log_streams import LogStreams
from relaygram_api.parts import Parts
from relaygram_api.prune_worker import PruneWorker
from relaygram_api.settings import ApiSettings
from relaygram_api.shared_reads import SharedReads
from relaygram_api.surfaces import SurfaceName
from relaygram_api.token_check import TokenCheck
from relaygram_api.web import gated_app
from relaygram_common.bounded_http import most_connections
from relaygram_common.database.pool import create_pool
from relaygram_common.health import http_server, listen
from relaygram_common.runner import Runtime, serving
from relaygram_common.security.sealing import Sealer

_UPLOADS_AT_ONCE = 32
_FURTHER_LOOKS_AT_ONCE = 2


@asynccontextmanager
async def build(settings: ApiSettings, runtime: Runtime) -> AsyncIterator[None]:
    """Start everything in order; stop in reverse."""
    async with make_parts(settings, runtime) as parts:
        socket = listen(settings.api_host, settings.api_port, setting="RELAYGRAM_API_PORT")
        server = http_server(
            gated_app(parts),
            shutdown_seconds=settings.shutdown_seconds,
            head_seconds=settings.request_head_seconds,
            trusted_proxies=settings.trusted_proxies,
        )
        async with serving(server, socket):
            try:
                yield
            finally:
                parts.streams.stop()  # the server waits for what it answers, and they would go on for hours


@asynccontextmanager
async def make_parts(settings: ApiSettings, runtime: Runtime) -> AsyncIterator[Parts]:
    """All that stands behind HTTP."""
    sealer = Sealer(settings.secret_keys)
    time_zones = frozenset(zoneinfo.available_timezones())
    fetcher = media_fetcher(seconds=settings.media_fetch_seconds, allow_private=settings.media_allow_private)
    async with _pools(settings) as (pool, readers), fetcher as fetch_media:
        database = Database(pool, readers, answer_seconds=settings.database_answer_seconds)
        runtime.health.add("postgres", database.answers)
        streams = _streams(database, settings)
        runtime.spawn(streams.run(), name="streams")
        outbox = NatsOutbox(pool, settings.nats_url, name=f"relaygram-api {settings.instance}", ring=streams.ring)
        runtime.spawn(outbox.run(), name="outbox")
        worker = ImportWorker(database, sealer, settings, time_zones=time_zones, wake_outbox=outbox.wake)
        runtime.spawn(worker.run(), name="imports")
        runtime.spawn(PruneWorker(database).run(), name="prune")
        try:
            yield Parts(
                settings=settings,
                health=runtime.health,
                database=database,
                sealer=sealer,
                time_zones=time_zones,
                tokens=TokenCheck(database),
                limiters=_limiters(database, settings),
                reads=SharedReads(),
                streams=streams,
                exports=_exports(database, settings),
                logins=LoginLimiter(database, sealer, settings.login_failures_per_minute),
                fetch_media=fetch_media,
                uploads=asyncio.Semaphore(_UPLOADS_AT_ONCE),
                further_looks=asyncio.Semaphore(_FURTHER_LOOKS_AT_ONCE),
                wake_outbox=outbox.wake,
                wake_imports=worker.wake,
            )
        finally:
            await runtime.cancel_tasks()


def _streams(database: Database, settings: ApiSettings) -> LogStreams:
    # Connections are left for requests: half of those there can be, of HTTP and of reading from PostgreSQL.
    return LogStreams(
        database,
        most=min(settings.max_streams, most_connections() // 2),
        per_token=settings.streams_per_token,
        readings_at_once=max(1, settings.postgres_pool_size // 4),
    )


def _exports(database: Database, settings: ApiSettings) -> LogExports:
    return LogExports(
        database,
        most=settings.max_exports,
        per_token=settings.exports_per_token,
        readings_at_once=max(1, settings.postgres_pool_size // 4),
        retry_seconds=settings.export_retry_seconds,
    )


def _limiters(database: Database, settings: ApiSettings) -> dict[SurfaceName, RateLimiter]:
    rates: dict[SurfaceName, Rate] = {
        "campaign_api": Rate(settings.rate_limit_per_minute, burst=2 * settings.rate_limit_per_minute),
        "channel_logs": Rate(settings.channel_logs_per_minute, burst=settings.channel_logs_per_minute),
        "send_logs": Rate(settings.send_logs_per_minute, burst=settings.send_logs_per_minute),
    }
    return {surface: RateLimiter(database, surface, rate) for surface, rate in rates.items()}


@asynccontextmanager
async def _pools(settings: ApiSettings) -> AsyncIterator[tuple[Pool, Pool]]:
    """Connections for transactions, and for reads of one statement."""
    async with AsyncExitStack() as stack:
        pools = []
        sizes = {"relaygram-api": settings.postgres_pool_size, "relaygram-api reads": settings.postgres_pool_size // 2}
        for name, size in sizes.items():
            pool = await create_pool(
                settings.postgres_dsn, application_name=f"{name} {settings.instance}", max_size=max(1, size)
            )
            stack.callback(pool.terminate)
            pools.append(pool)
        yield pools[0], pools[1]
