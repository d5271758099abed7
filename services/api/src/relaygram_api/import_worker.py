"""Works off imports: parse, check, add, in one transaction a file. A crash repeats the file and doubles nobody."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import structlog
from prometheus_client import Counter

from relaygram_api.adapters import pg_imports
from relaygram_api.adapters.pg_imports import Adding
from relaygram_api.adapters.pg_workspace import Database, is_transient
from relaygram_api.contact_reading import Block, ContactReading
from relaygram_api.core.contact_file import FileError
from relaygram_api.settings import ApiSettings
from relaygram_common.backoff import backoff_seconds
from relaygram_common.security.sealing import Sealer
from relaygram_common.tasks import cancel_and_wait, set_or_timeout

log = structlog.get_logger(__name__)

_CHUNK_WAIT_SECONDS = 90.0
_lines = Counter("relaygram_import_lines_total", "Lines of contact files worked off", ["outcome"])


class ImportWorker:
    """Runs until cancelled; `wake()` makes it look at once instead of at its next poll."""

    def __init__(
        self,
        database: Database,
        sealer: Sealer,
        settings: ApiSettings,
        *,
        time_zones: frozenset[str],
        wake_outbox: Callable[[], None],
    ) -> None:
        self._database = database
        self._sealer = sealer
        self._settings = settings
        self._time_zones = time_zones
        self._wake_outbox = wake_outbox
        self._wanted = asyncio.Event()

    def wake(self) -> None:
        """There may be a new import."""
        self._wanted.set()

    async def run(self) -> None:
        """Work for ever, also through outages of PostgreSQL."""
        failures = 0
        while True:
            self._wanted.clear()
            try:
                claimed = await pg_imports.claim(self._database, self._settings.import_lease_seconds)
                if claimed is not None:
                    await self._work(claimed)
                failures = 0
            except Exception as error:
                if not is_transient(error):
                    raise
                failures += 1
                log.warning("import.delayed", error=str(error) or type(error).__name__)
                await asyncio.sleep(backoff_seconds(failures, first=0.2, cap=5.0, jitter=random.random()))  # noqa: S311
                continue
            if claimed is None:
                await set_or_timeout(self._wanted, self._settings.import_poll_seconds)

    async def _work(self, claimed: dict[str, Any]) -> None:
        import_id, workspace_id = claimed["id"], claimed["workspace_id"]
        file = ContactReading(claimed["format"], claimed["campaign_id"], self._sealer, self._time_zones)
        lease = asyncio.create_task(self._keep_lease(claimed, file), name="import-lease")
        try:
            if not claimed["uploaded"]:
                raise FileError("the upload was broken off")
            async with pg_imports.adding(
                self._database, self._sealer, workspace_id, claimed["campaign_id"], import_id
            ) as adding:
                if adding is not None:
                    await self._add(adding, file, claimed)
        except FileError as problem:
            await self._fail(claimed, str(problem))
        except Exception as error:
            if is_transient(error):
                raise
            # A file that no worker can stomach must not come back for ever.
            log.exception("import.failed", import_id=import_id)
            await self._fail(claimed, "the file could not be worked off; the service's log says why")
        finally:
            await cancel_and_wait([lease])
        self._wake_outbox()

    async def _fail(self, claimed: dict[str, Any], message: str) -> None:
        async with self._database.workspace(claimed["workspace_id"]) as connection:
            await pg_imports.fail(connection, claimed["id"], message)

    async def _add(self, adding: Adding, file: ContactReading, claimed: dict[str, Any]) -> None:
        status = await adding.campaign_status()
        if status is None or status in ("completed", "stopped"):
            raise FileError(f"the campaign is {status or 'deleted'}")
        async with _blocks(file, self._chunks(claimed, asyncio.get_running_loop())) as blocks:
            async for block in blocks:
                if file.received > self._settings.max_import_lines:
                    raise FileError(f"more than {self._settings.max_import_lines} lines")
                await adding.take(block.lines, block.people, block.errors)
        if not await adding.finish(received=file.received, valid=file.valid, columns=file.columns):
            raise FileError("the campaign has ended meanwhile")
        _lines.labels("valid").inc(file.valid)
        _lines.labels("rejected").inc(file.received - file.valid)

    def _chunks(self, claimed: dict[str, Any], loop: asyncio.AbstractEventLoop) -> Iterator[bytes]:
        """The pieces of the file, for a thread: on a connection of their own, beside the one that adds."""
        number = 0
        while True:
            asked = pg_imports.chunk(self._database, claimed["workspace_id"], claimed["id"], number)
            data = asyncio.run_coroutine_threadsafe(asked, loop).result(_CHUNK_WAIT_SECONDS)
            if data is None:
                return
            yield data
            number += 1

    async def _keep_lease(self, claimed: dict[str, Any], file: ContactReading) -> None:
        seconds = self._settings.import_lease_seconds
        while True:
            await asyncio.sleep(seconds / 3)
            try:
                await pg_imports.renew(self._database, claimed["workspace_id"], claimed["id"], seconds, file.received)
            except Exception as error:  # noqa: BLE001 - the next round tries again, and a lost lease harms nobody
                log.warning("import.lease_not_renewed", error=str(error) or type(error).__name__)


@asynccontextmanager
async def _blocks(file: ContactReading, chunks: Iterator[bytes]) -> AsyncIterator[AsyncIterator[Block]]:
    """The blocks of the file: while one is worked on, a thread reads the next."""
    blocks = file.blocks(chunks)
    ahead: list[asyncio.Future[Block | None]] = []

    def read_next() -> None:
        ahead.append(asyncio.ensure_future(asyncio.to_thread(next, blocks, None)))

    async def read() -> AsyncIterator[Block]:
        read_next()
        while (block := await ahead.pop()) is not None:
            read_next()
            yield block

    try:
        yield read()
    finally:
        # A thread can not be told to stop: it ends with its block.
        await asyncio.gather(*ahead, return_exceptions=True)
