"""The exports of this process: how many there may be at once, and how each reads the log from PostgreSQL.

An export reads a part of the log in a short transaction, closes it, and only then passes the rows on: a client takes as
long as it likes and holds up nothing. While it takes one part, the next is read: two are in memory, never more.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import structlog
from prometheus_client import Gauge

from relaygram_api.adapters import pg_log_export, pg_log_streams
from relaygram_api.adapters.pg_log_export import TooLargeError
from relaygram_api.adapters.pg_workspace import Database, is_transient
from relaygram_api.caller import Caller
from relaygram_api.core.log_export import Extent, Format, LogFilter, Pace
from relaygram_api.errors import ApiError, too_many
from relaygram_common.backoff import backoff_seconds

log = structlog.get_logger(__name__)

_RETRY_AFTER_SECONDS: Final = 10
_FIRST_WAIT_SECONDS: Final = 0.1
_LONGEST_WAIT_SECONDS: Final = 2.0
_TOKEN_SECONDS: Final = 1.0

_under_way = Gauge("relaygram_log_exports", "Exports of the log that are under way")


class TokenEndedError(Exception):
    """The token was revoked or has expired, or its user was disabled."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One export, as asked for."""

    caller: Caller
    campaign_id: int
    output: Format
    filter: LogFilter


class LogExports:
    """Those under way, and what they share."""

    def __init__(
        self, database: Database, *, most: int, per_token: int, readings_at_once: int, retry_seconds: float
    ) -> None:
        self._database = database
        self._most = most
        self._per_token = per_token
        self._turn = asyncio.Semaphore(readings_at_once)
        self._retry_seconds = retry_seconds
        self._of_token: Counter[int] = Counter()

    @contextmanager
    def place(self, caller: Caller) -> Iterator[None]:
        """A place among the exports. Raises ApiError when there is none."""
        if self._of_token[caller.token_id] >= self._per_token:
            said = f"Too many exports: this token may have {self._per_token} at the same time."
            raise too_many(said, _RETRY_AFTER_SECONDS)
        if self._of_token.total() >= self._most:
            retry = {"Retry-After": str(_RETRY_AFTER_SECONDS)}
            raise ApiError(503, "too_many_exports", "There are too many exports here. Try again.", headers=retry)
        self._of_token[caller.token_id] += 1
        with _under_way.track_inprogress():
            try:
                yield
            finally:
                self._of_token -= Counter({caller.token_id: 1})  # without those at 0

    async def extent(self, wanted: Wanted) -> Extent | None:
        """What there is at this moment; None when there never was such a campaign. Raises what asyncpg raises."""
        async with self._database.workspace(wanted.caller.workspace_id) as connection:
            return await pg_log_export.extent(connection, wanted.campaign_id, wanted.filter)

    def reader(self, wanted: Wanted, extent: Extent) -> "LogReader":
        """Reads it from its beginning to its end."""
        return LogReader(self._database, self._turn, wanted, extent, retry_seconds=self._retry_seconds)


class LogReader:
    """One export's reading: where it stands, and how much it takes at once."""

    def __init__(
        self, database: Database, turn: asyncio.Semaphore, wanted: Wanted, extent: Extent, *, retry_seconds: float
    ) -> None:
        self._database = database
        self._turn = turn
        self._wanted = wanted
        self._left = extent
        self._retry_seconds = retry_seconds
        self._pace = Pace.of(wanted.output)
        self._token_seen_at = time.monotonic()

    async def next(self) -> Sequence[bytes] | None:
        """More rows, perhaps none where little fits; None at the end.

        Raises TokenEndedError, and what asyncpg raises when PostgreSQL has been away for too long.
        """
        failures, gives_up_at = 0, time.monotonic() + self._retry_seconds
        while not self._left.is_empty:
            try:
                return await self._read()
            except TooLargeError:
                self._pace = self._pace.after_failure()
            except Exception as error:
                failures += 1
                wait = self._wait_seconds(failures)
                if not is_transient(error) or time.monotonic() + wait > gives_up_at:
                    raise
                if failures == 1:
                    log.warning("export.waits", campaign_id=self._wanted.campaign_id, error=_told(error))
                self._pace = self._pace.after_failure()
                await asyncio.sleep(wait)
        return None

    async def _read(self) -> list[bytes]:
        wanted, part = self._wanted, self._left.beginning(self._pace.positions)
        async with self._turn:
            await self._check_token()
            began = time.monotonic()
            async with self._database.workspace(wanted.caller.workspace_id) as connection:
                pieces = await pg_log_export.rows(
                    connection, wanted.campaign_id, wanted.output, wanted.filter, part, most_bytes=self._pace.most_bytes
                )
        self._pace = self._pace.after(part, size=sum(map(len, pieces)), seconds=time.monotonic() - began)
        self._left = self._left.after(part)
        return pieces

    async def _check_token(self) -> None:
        """An export may take hours, a token end meanwhile."""
        if time.monotonic() - self._token_seen_at < _TOKEN_SECONDS:
            return
        if await pg_log_streams.ended_tokens(self._database, [self._wanted.caller.token_id]):
            raise TokenEndedError
        self._token_seen_at = time.monotonic()

    def _wait_seconds(self, failures: int) -> float:
        jitter = random.random()  # noqa: S311 - spreads those who wait
        return backoff_seconds(failures, first=_FIRST_WAIT_SECONDS, cap=_LONGEST_WAIT_SECONDS, jitter=jitter)


def _told(error: BaseException) -> str:
    return str(error) or type(error).__name__
