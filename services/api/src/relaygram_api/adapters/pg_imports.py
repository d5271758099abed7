"""Imports of contacts: the upload in chunks, the report, and the one transaction that adds the people."""

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from typing import Any

from relaygram_api.adapters.pg_erased import ErasedPeople
from relaygram_api.adapters.pg_workspace import Connection, Database, is_lost, sql
from relaygram_api.core.record_checks import LineError
from relaygram_common.security.sealing import Sealer

CONTACT_COLUMNS = (
    "line", "telegram_user_id", "handle", "phone_sealed", "phone_hash", "first_name", "last_name", "tags", "time_zone",
    "columns",
)  # fmt: skip
ERROR_COLUMNS = ("line", "column", "value", "reason")
# What one import of a million lines may take; a dead worker is found by its lease long before.
_LONG_SECONDS = 1800.0


async def campaign_status(connection: Connection, campaign_id: int) -> str | None:
    """The campaign's status, which does not change until the transaction ends."""
    status: str | None = await connection.fetchval(sql["share_campaign_status"], campaign_id)
    return status


async def create(
    connection: Connection, workspace_id: int, campaign_id: int, file_format: str, *, upload_seconds: float
) -> int:
    """A new import whose upload has so long to send its next piece; its id."""
    import_id: int = await connection.fetchval(
        sql["insert_import"], workspace_id, campaign_id, file_format, upload_seconds
    )
    return import_id


async def add_chunk(
    connection: Connection, workspace_id: int, import_id: int, chunk: int, data: bytes, *, upload_seconds: float
) -> bool:
    """Keep a piece of the file; False when the import was closed meanwhile."""
    return bool(
        await connection.fetchval(sql["insert_import_chunk"], import_id, chunk, workspace_id, data, upload_seconds)
    )


async def uploaded(connection: Connection, import_id: int) -> bool:
    """All pieces are there; False when the import was closed meanwhile."""
    return await connection.fetchval(sql["finish_upload"], import_id) is not None


async def get(connection: Connection, import_id: int) -> dict[str, Any] | None:
    """One import, as it is shown."""
    row = await connection.fetchrow(sql["get_import"], import_id)
    return dict(row) if row else None


async def fail(connection: Connection, import_id: int, message: str) -> None:
    """Close it without having added anybody."""
    await connection.execute(sql["fail_import"], import_id, message)
    await connection.execute(sql["delete_import_chunks"], import_id, timeout=60.0)


async def count_errors(connection: Connection, import_id: int) -> int:
    """How many errors its report has."""
    number: int = await connection.fetchval(sql["count_import_errors"], import_id)
    return number


async def error_page(connection: Connection, import_id: int, *, limit: int, offset: int) -> list[dict[str, Any]]:
    """These errors, by line."""
    return [dict(row) for row in await connection.fetch(sql["list_import_errors"], import_id, limit, offset)]


async def errors_after(
    connection: Connection, import_id: int, line: int, column: str, *, limit: int
) -> list[dict[str, Any]]:
    """The next errors after this one: for reading them all."""
    rows = await connection.fetch(sql["next_import_errors"], import_id, line, column, limit)
    return [dict(row) for row in rows]


async def claim(database: Database, lease_seconds: float) -> dict[str, Any] | None:
    """Take an import that waits; None when there is none."""
    row = await database.fetch_for_nobody("claim_import", lease_seconds)
    return dict(row) if row else None


async def renew(database: Database, workspace_id: int, import_id: int, lease_seconds: float, received: int) -> None:
    """Still at it; `received` shows how far."""
    async with database.workspace(workspace_id) as connection:
        await connection.execute(sql["renew_import"], import_id, lease_seconds, received)


async def chunk(database: Database, workspace_id: int, import_id: int, number: int) -> bytes | None:
    """A piece of the file; None after the last."""
    async with database.workspace(workspace_id) as connection:
        data: bytes | None = await connection.fetchval(sql["get_import_chunk"], import_id, number, timeout=60.0)
        return data


async def _at_once(data: bytes) -> AsyncIterator[bytes]:
    """For COPY in one piece: in many, each would wait for the thread that reads the next block to let others run."""
    yield data


class Adding:
    """The transaction that adds the people of one import; under the campaign's lock, so imports take turns."""

    def __init__(
        self, connection: Connection, erased: ErasedPeople, workspace_id: int, campaign_id: int, import_id: int
    ) -> None:
        self._connection = connection
        self._erased = erased
        self._workspace_id = workspace_id
        self._campaign_id = campaign_id
        self._import_id = import_id
        self._accepted = 0
        self._end = 1  # after the last line that was staged
        # Where anybody was erased, all are staged before any is added.
        self._adds_at_once = False

    async def begin(self) -> None:
        """Make room for what is staged."""
        await self._connection.execute(sql["stage_tables"])
        self._adds_at_once = not await self._erased.are_known()

    async def campaign_status(self) -> str | None:
        """The campaign's status now; None when it was deleted."""
        status: str | None = await self._connection.fetchval(sql["campaign_status"], self._campaign_id)
        return status

    async def take(self, lines: range, people: bytes, errors: Sequence[LineError]) -> None:
        """Stage people (COPY text, by CONTACT_COLUMNS) and rejected lines; add the people, where nobody was erased."""
        run = self._connection
        await run.copy_to_table("incoming_contacts", source=_at_once(people), columns=CONTACT_COLUMNS, timeout=60.0)
        if errors:
            records = [(error.line, error.column, error.value, error.reason) for error in errors]
            await run.copy_records_to_table("incoming_errors", records=records, columns=ERROR_COLUMNS, timeout=60.0)
        self._end = lines.stop
        if self._adds_at_once:
            await self._add(lines)

    async def _add(self, lines: range) -> None:
        self._accepted += await self._connection.fetchval(
            sql["add_contacts"], self._workspace_id, self._campaign_id, lines[0], lines[-1], timeout=_LONG_SECONDS
        )

    async def finish(self, *, received: int, valid: int, columns: Collection[str]) -> bool:
        """Add those who are new, keep the report, count, note their columns, tell the dispatcher, close the import.

        False when the campaign has ended meanwhile: then the transaction must not be committed.
        """
        run, rejected = self._connection, 0
        if not self._adds_at_once:
            rejected += await self._erased.reject_staged()
            await self._add(range(self._end))
        await run.execute(sql["add_import_errors"], self._workspace_id, self._import_id, timeout=_LONG_SECONDS)
        await run.execute(sql["delete_import_chunks"], self._import_id, timeout=60.0)
        late_lines, removed = await self._erased.reject_added()
        rejected, accepted = rejected + late_lines, self._accepted - removed
        await run.execute(
            sql["complete_import"],
            self._import_id, received, accepted, valid - rejected - accepted, received - valid + rejected, timeout=60.0,
        )  # fmt: skip
        if not accepted:
            return True
        # Last, since it locks the campaign's row: pausing must not wait for an import.
        counted = await run.fetchval(
            sql["count_new_contacts"], self._campaign_id, accepted, sorted(columns), timeout=60.0
        )
        return counted is not None


@asynccontextmanager
async def adding(
    database: Database, sealer: Sealer, workspace_id: int, campaign_id: int, import_id: int
) -> AsyncIterator[Adding | None]:
    """Open that transaction; None when the import is somebody else's or closed by now. Commits at the end."""
    async with database.pool.acquire(timeout=30.0) as connection:
        await connection.execute(sql["begin_import"].format(workspace_id=int(workspace_id)), timeout=10.0)
        try:
            await connection.execute(sql["lock_contacts"], campaign_id, timeout=_LONG_SECONDS)
            if await connection.fetchval(sql["import_is_running"], import_id) is None:
                yield None
            else:
                erased = ErasedPeople(connection, sealer, workspace_id, campaign_id, import_id)
                opened = Adding(connection, erased, workspace_id, campaign_id, import_id)
                await opened.begin()
                yield opened
        except BaseException:
            if not is_lost(connection):
                await connection.execute(sql["rollback"], timeout=10.0)
            raise
        await connection.execute(sql["commit"], timeout=_LONG_SECONDS)
