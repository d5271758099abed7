"""Pages of the log for live streams: those who want the same one share a reading of it."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from prometheus_client import Counter

from relaygram_api.adapters import pg_log_streams
from relaygram_api.adapters.pg_log_streams import PAGE_BYTES, PAGE_ROWS
from relaygram_api.adapters.pg_workspace import Database
from relaygram_api.core.event_stream import event, in_pieces
from relaygram_api.log_view import shown_row
from relaygram_common.tasks import cancel_and_wait

_readings = Counter("relaygram_log_stream_readings_total", "Pages read from PostgreSQL for live streams")


@dataclass(frozen=True, slots=True)
class Place:
    """Where in which log a page begins: after this revision."""

    workspace_id: int
    campaign_id: int
    after: int


@dataclass(frozen=True, slots=True)
class Page:
    """Rows as they go over the wire, the revision of the last one, and whether there may be more already."""

    pieces: tuple[bytes, ...]
    last: int
    is_full: bool


class LogPages:
    """The readings of one process, a few at a time: streams leave connections for requests."""

    def __init__(self, database: Database, *, at_once: int) -> None:
        self._database = database
        self._turn = asyncio.Semaphore(at_once)
        self._not_begun: dict[Place, asyncio.Task[Page]] = {}
        self._tasks: set[asyncio.Task[Page]] = set()

    async def page(self, place: Place) -> Page:
        """What is there at this moment or later. Raises what asyncpg raises."""
        # A reading is shared by all who ask before it begins: so none of them gets less than was there when it asked.
        reading = self._not_begun.get(place)
        if reading is None:
            reading = self._not_begun[place] = asyncio.create_task(self._read(place), name="log-page")
            self._tasks.add(reading)
            reading.add_done_callback(self._done)
        return await asyncio.shield(reading)  # one who leaves does not take the page from the others

    async def close(self) -> None:
        """End what is under way."""
        await cancel_and_wait(list(self._tasks))

    async def _read(self, place: Place) -> Page:
        async with self._turn:
            del self._not_begun[place]
            rows = await pg_log_streams.page(self._database, place.workspace_id, place.campaign_id, place.after)
        _readings.inc()
        return _page(place, rows)

    def _done(self, reading: asyncio.Task[Page]) -> None:
        self._tasks.discard(reading)
        if not reading.cancelled():
            reading.exception()  # looked at, also when all who asked have left


def _page(place: Place, rows: Sequence[Mapping[str, Any]]) -> Page:
    events = (event(row["revision"], orjson.dumps(shown_row(row), option=orjson.OPT_UTC_Z)) for row in rows)
    pieces = tuple(in_pieces(events))
    is_full = len(rows) == PAGE_ROWS or sum(map(len, pieces)) >= PAGE_BYTES
    return Page(pieces, rows[-1]["revision"] if rows else place.after, is_full)
