"""What the log and the ledger say, read by the dispatcher; it writes neither."""

from collections.abc import AsyncIterator, Collection

import asyncpg

from relaygram_common.database.statements import Statements
from relaygram_dispatcher.core.pages import sender_name
from relaygram_dispatcher.core.run import Contact, Content, Pending, Run
from relaygram_dispatcher.core.sweeping import Fate

_sql = Statements("relaygram_dispatcher")


class PgLog:
    """Reads in pages, so that memory stays flat."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", *, page_size: int) -> None:
        self._pool = pool
        self._page_size = page_size

    async def content(self, run: Run) -> Content:
        """What the run's messages share, as it is now."""
        row = await self._pool.fetchrow(_sql["run_content"], run.campaign_id)
        if row is None:
            raise LookupError(f"campaign {run.campaign_id} has a run and no row")
        return Content(
            workspace_id=run.workspace_id,
            campaign_id=run.campaign_id,
            account_id=run.account_id,
            run_id=run.run_id,
            template=row["template"],
            sender=sender_name(row["account_handle"], row["account_user_id"]),
            reference=row["reference"],
            entity_id=row["entity_id"],
            application_id=row["application_id"],
            content_type=row["content_type"],
            scheduled=row["scheduled"],
        )

    async def pending(self, run: Run) -> AsyncIterator[list[Pending]]:
        """Messages without an outcome, page by page."""
        position = 0
        while True:
            rows = await self._pool.fetch(_sql["pending_page"], run.campaign_id, position, self._page_size)
            if not rows:
                return
            yield [Pending(**row) for row in rows]
            position = rows[-1]["position"]

    async def unlogged(self, run: Run) -> AsyncIterator[list[Contact]]:
        """Expanded people without a row, page by page."""
        last = 0
        while True:
            rows = await self._pool.fetch(_sql["unlogged_page"], run.campaign_id, last, self._page_size)
            if not rows:
                return
            yield [Contact(**row) for row in rows]
            last = rows[-1]["id"]

    async def relay_singles_again(self) -> int:
        """The jobs of test sends that have been open for long go out once more; how many."""
        return int(await self._pool.fetchval(_sql["relay_singles_again"]))

    async def note_reconciled(self, run: Run) -> None:
        """For people who wonder."""
        await self._pool.execute(_sql["note_reconciled"], run.campaign_id, run.epoch)

    async def ended_with_pending(self, *, most: int) -> list[Run]:
        """Finished runs with rows that still wait for an end."""
        return [Run(**row) for row in await self._pool.fetch(_sql["ended_with_pending"], most)]

    async def fates(self, campaigns: Collection[int]) -> dict[int, Fate]:
        """Those of the campaigns that exist."""
        rows = await self._pool.fetch(_sql["fates"], list(campaigns))
        return {row["id"]: Fate(row["account_id"], row["ended"]) for row in rows}
