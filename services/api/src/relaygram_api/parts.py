"""What requests are answered with: made once by app.py, found by handlers through `Depends`."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from relaygram_api.adapters.http_media import FetchMedia
from relaygram_api.adapters.pg_workspace import Database
from relaygram_api.caller import Caller
from relaygram_api.limiter import LoginLimiter, RateLimiter
from relaygram_api.log_exports import LogExports
from relaygram_api.log_streams import LogStreams
from relaygram_api.settings import ApiSettings
from relaygram_api.shared_reads import SharedReads
from relaygram_api.surfaces import SurfaceName
from relaygram_api.token_check import TokenCheck
from relaygram_common.health import Health
from relaygram_common.security.sealing import Sealer

__all__ = ["Caller", "FromParts", "Parts"]


@dataclass(frozen=True)
class Parts:
    """The parts of the service that handlers use."""

    settings: ApiSettings
    health: Health
    database: Database
    sealer: Sealer
    time_zones: frozenset[str]
    tokens: TokenCheck
    limiters: Mapping[SurfaceName, RateLimiter]
    reads: SharedReads
    logins: LoginLimiter
    streams: LogStreams
    exports: LogExports
    fetch_media: FetchMedia
    # Files that are received at the same time, each of which takes room on the disk.
    uploads: asyncio.Semaphore
    # Searches through many rows of the log that are made at the same time.
    further_looks: asyncio.Semaphore
    # There are new rows in the outbox; there is a new import.
    wake_outbox: Callable[[], None]
    wake_imports: Callable[[], None]


# `async`, as every dependency: FastAPI hands any other function to a thread, which takes longer than all of these.
async def _parts(request: Request) -> Parts:
    parts: Parts = request.app.state.parts
    return parts


FromParts = Annotated[Parts, Depends(_parts)]
