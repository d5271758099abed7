"""Works off imports: parse, check, add, in one transaction a file. A crash repeats the file and doubles nobody."""

import asyncio
import contextlib
import random
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

import orjson
import structlog
from prometheus_client import Counter

from relaygram_api.adapters import pg_imports
from relaygram_api.adapters.pg_imports import Adding
from relaygram_api.adapters.pg_workspace import Database, is_transient
from relaygram_api.core.contact_file import FileError, Record, csv_records, first_line, read_header
from relaygram_api.core.contact_rows import LineError, Person, check_record, json_record
from relaygram_api.settings import ApiSettings
from relaygram_common.backoff import backoff_seconds
from relaygram_common.security.sealing import Sealer
from relaygram_common.tasks import cancel_and_wait

log = structlog.get_logger(__name__)

_BATCH = 2000
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
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._settings.import_poll_seconds):
                        await self._wanted.wait()

    async def _work(self, claimed: dict[str, Any]) -> None:
        import_id, workspace_id = claimed["id"], claimed["workspace_id"]
        file = _File(claimed["format"], self._time_zones)
        lease = asyncio.create_task(self._keep_lease(claimed, file), name="import-lease")
        try:
            if not claimed["uploaded"]:
                raise FileError("the upload was broken off")
            async with pg_imports.adding(self._database, workspace_id, claimed["campaign_id"], import_id) as adding:
                if adding is not None:
                    await self._add(adding, file, claimed["campaign_id"])
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

    async def _add(self, adding: Adding, file: "_File", campaign_id: int) -> None:
        status = await adding.campaign_status()
        if status is None or status in ("completed", "stopped"):
            raise FileError(f"the campaign is {status or 'deleted'}")
        batches = file.batches(_chunks(adding, asyncio.get_running_loop()))
        while (batch := await asyncio.to_thread(next, batches, None)) is not None:
            if file.received > self._settings.max_import_lines:
                raise FileError(f"more than {self._settings.max_import_lines} lines")
            people, errors = batch
            rows = await asyncio.to_thread(self._rows, campaign_id, people)
            await adding.stage(rows, [(error.line, error.column, error.value, error.reason) for error in errors])
        rejected = file.received - file.valid
        if not await adding.merge(received=file.received, valid=file.valid, rejected=rejected, sealer=self._sealer):
            raise FileError("the campaign has ended meanwhile")
        _lines.labels("valid").inc(file.valid)
        _lines.labels("rejected").inc(file.received - file.valid)

    def _rows(self, campaign_id: int, people: Iterable[Person]) -> list[tuple[Any, ...]]:
        owner = f"contact-phone:{campaign_id}"
        return [
            (
                person.line,
                person.telegram_user_id,
                person.handle,
                self._sealer.seal(person.phone, owner=owner) if person.phone else None,
                self._sealer.fingerprint(person.phone) if person.phone else None,
                person.first_name,
                person.last_name,
                person.tags,
                person.time_zone,
                orjson.dumps(person.columns).decode(),
            )
            for person in people
        ]

    async def _keep_lease(self, claimed: dict[str, Any], file: "_File") -> None:
        seconds = self._settings.import_lease_seconds
        while True:
            await asyncio.sleep(seconds / 3)
            try:
                await pg_imports.renew(self._database, claimed["workspace_id"], claimed["id"], seconds, file.received)
            except Exception as error:  # noqa: BLE001 - the next round tries again, and a lost lease harms nobody
                log.warning("import.lease_not_renewed", error=str(error) or type(error).__name__)


class _File:
    """A file being read: its batches, and how many lines were read and found good so far."""

    def __init__(self, file_format: str, time_zones: frozenset[str]) -> None:
        self.received = 0
        self.valid = 0
        self._format = file_format
        self._time_zones = time_zones

    def batches(self, chunks: Iterator[bytes]) -> Iterator[tuple[list[Person], list[LineError]]]:
        """Checked lines, some thousands at a time. Runs in a thread, where waiting for a chunk stops nobody."""
        records = _csv(chunks) if self._format == "csv" else _json(chunks)
        while batch := list(islice(records, _BATCH)):
            people: list[Person] = []
            errors: list[LineError] = []
            for record in batch:
                checked = check_record(record, self._time_zones)
                if isinstance(checked, Person):
                    people.append(checked)
                else:
                    errors += checked
            self.received += len(batch)
            self.valid += len(people)
            yield people, errors


def _csv(chunks: Iterator[bytes]) -> Iterator[Record]:
    beginning = b""
    line = None
    for chunk in chunks:
        beginning += chunk
        if (line := first_line(beginning)) is not None:
            break
    header = read_header(line or beginning)
    yield from csv_records(_after(beginning, chunks), header)


def _after(beginning: bytes, chunks: Iterator[bytes]) -> Iterator[bytes]:
    yield beginning
    yield from chunks


def _json(chunks: Iterator[bytes]) -> Iterator[Record]:
    contacts = orjson.loads(b"".join(chunks))["contacts"]
    return (json_record(number, item) for number, item in enumerate(contacts, start=1))


def _chunks(adding: Adding, loop: asyncio.AbstractEventLoop) -> Iterator[bytes]:
    number = 0
    while True:
        data = asyncio.run_coroutine_threadsafe(adding.chunk(number), loop).result(_CHUNK_WAIT_SECONDS)
        if data is None:
            return
        yield data
        number += 1
