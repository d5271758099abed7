"""The log of a channel: newest first, in looks that are bounded however few messages fit."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from relaygram_api.adapters.pg_workspace import Database, sql
from relaygram_api.core.channel_query import ChannelQuery, ChannelQueryError, Place, names_of
from relaygram_api.core.channel_status import Selection, selection

# A look: what one statement reads, a tenth of a second at most. Mostly what is asked for is among the first.
_FIRST_LOOK: Final = 5_000
MOST_A_LOOK: Final = 100_000
# Without a cursor an answer is whole or none: it ends here, after a second or so.
MOST_LOOKED_AT: Final = 1_000_000
# So long a further look waits for its turn.
TURN_SECONDS = 10.0

_PIECES: Final = {name: sql[f"channel_log_{name}"] for name in ("columns", "within", "fits")}
STATEMENTS: Final = {
    "all": sql["channel_log"].format(ended="", **_PIECES),
    "ended": sql["channel_log"].format(ended=f" {sql['channel_log_ended']}", **_PIECES),
    "named": sql["channel_log_named"].format(**_PIECES),
}


@dataclass(frozen=True, slots=True)
class ChannelPage:
    """Rows, and the place behind which the list goes on; None at its end."""

    rows: list[Mapping[str, Any]]
    goes_on: Place | None


async def read(
    database: Database, workspace_id: int, query: ChannelQuery, *, further_looks: asyncio.Semaphore
) -> ChannelPage:
    """A page. Few further looks are taken at a time, so that connections and processors are left for all else.

    Raises ChannelQueryError; TimeoutError when a further look did not come to its turn.
    """
    place = query.after()
    status = None if query.general_status is None else selection(query.general_status)
    if query.runs == [] or query.jobs == [] or (status is not None and status.is_empty):
        return ChannelPage([], None)
    statement, filters = STATEMENTS[_statement(query, status)], _filters(query, status)
    found: list[Mapping[str, Any]] = []
    for number, look in enumerate(_looks(MOST_A_LOOK if query.pages else MOST_LOOKED_AT)):
        missing = query.limit + 1 - len(found)
        bounds = (query.sent_since, query.sent_until, place and place.sent_at, place and place.message_id)
        async with _turn(further_looks if number else None), database.workspace(workspace_id) as connection:
            rows = await connection.fetch(statement, workspace_id, query.channel, *bounds, missing, look, *filters)
        found += [row for row in rows if row["fits"]]
        if len(found) > query.limit:
            return ChannelPage(found[: query.limit], _place_of(found[query.limit - 1]))
        if not rows or rows[-1]["nth"] != look:
            return ChannelPage(found, None)
        place = _place_of(rows[-1])
    if not query.pages:
        raise ChannelQueryError(
            "sentSince",
            f"and sentUntil should be closer together: more than {MOST_LOOKED_AT:,} messages would have to be looked"
            " through. Or page with useCursor=true",
        )
    return ChannelPage(found, place)


@asynccontextmanager
async def _turn(looks: asyncio.Semaphore | None) -> AsyncIterator[None]:
    if looks is None:
        yield
        return
    async with asyncio.timeout(TURN_SECONDS):
        await looks.acquire()
    try:
        yield
    finally:
        looks.release()


def _looks(in_all: int) -> Iterator[int]:
    """How many rows the next statement reads."""
    look = min(_FIRST_LOOK, in_all)
    while in_all > 0:
        yield look
        in_all -= look
        look = min(MOST_A_LOOK, in_all)


def _statement(query: ChannelQuery, status: Selection | None) -> str:
    if query.message_ids is not None:
        return "named"
    return "ended" if status is not None and status.has_failed else "all"


def _filters(query: ChannelQuery, status: Selection | None) -> tuple[Any, ...]:
    """$9 and following."""
    groups = (None,) * 4 if status is None else (status.states, status.coded, status.codes, status.other_codes)
    named = () if query.jobs is None else (query.jobs,)
    return (
        None if query.sender is None else names_of(query.sender),
        None if query.destination is None else names_of(query.destination),
        query.runs,
        query.entity_id,
        query.application_id,
        query.references,
        *groups,
        *named,
    )


def _place_of(row: Mapping[str, Any]) -> Place:
    return Place(row["queued_at"], row["job_id"])
