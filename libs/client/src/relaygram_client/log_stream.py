"""A campaign's log as it changes: one stream to the caller, over connections that may break at any time."""

import asyncio
import random
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

import httpx_sse

from relaygram_client.errors import ApiError, NoAnswerError, RelaygramError, UnexpectedAnswerError
from relaygram_client.models.logs import LogRow
from relaygram_client.retries import backoff_seconds, spread
from relaygram_client.transport import Transport

# A connection that lasted so long, or told a row, was a good one: what follows is a new outage.
_GOOD_SECONDS = 5.0

#: Called with the revision after which a connection begins.
OnOpen = Callable[[int], None]


class LogStream:
    """One caller's place in the log. What came is never asked for again: the next connection begins after it."""

    def __init__(
        self,
        transport: Transport,
        campaign_id: int,
        *,
        changed_since: int | None,
        silence_seconds: float,
        longest_outage_seconds: float,
        on_open: OnOpen | None = None,
    ) -> None:
        self._transport = transport
        self._path = f"/campaigns/{campaign_id}/logs/stream"
        self._last = changed_since
        self._silence_seconds = silence_seconds
        self._longest_outage = longest_outage_seconds
        self._on_open = on_open
        self._was_open = False
        self._is_good = False
        self._opened_at = 0.0
        self._broken_at: float | None = None
        self._failures = 0
        self._retry_seconds = 2.0  # what the server asks of those that it sent away

    async def rows(self) -> AsyncGenerator[LogRow, None]:
        """Every row that is newer than the last one, in the order of revisions, for ever."""
        while True:
            try:
                async with aclosing(self._rows_of_one_connection()) as rows:
                    async for row in rows:
                        yield row
                failure: RelaygramError = NoAnswerError(f"{self._transport.url} ends the stream again and again")
                was_sent_away = self._judge()
            except RelaygramError as error:
                if not _may_pass(error):
                    raise
                failure, was_sent_away = error, False
                self._judge()
            wait = self._politely() if was_sent_away else self._wait(failure)
            if wait is None:
                raise failure
            await asyncio.sleep(wait)

    async def _rows_of_one_connection(self) -> AsyncGenerator[LogRow, None]:
        headers = {"Accept": "text/event-stream", "Accept-Encoding": "identity"}
        if self._last is not None:
            headers["Last-Event-ID"] = str(self._last)
        async with self._transport.opened(self._path, headers, silence_seconds=self._silence_seconds) as response:
            if response.headers.get("content-type", "").partition(";")[0] != "text/event-stream":
                raise UnexpectedAnswerError(f"what {self._transport.url} answered is no stream of events")
            self._was_open, self._opened_at = True, _now()
            async with aclosing(httpx_sse.EventSource(response).aiter_sse()) as events:
                async for event in self._transport.reading(events):
                    row = self._taken(event)
                    if row is not None:
                        yield row

    def _taken(self, event: httpx_sse.ServerSentEvent) -> LogRow | None:
        """The event's row; None of what is no row, or is known."""
        if event.retry is not None:
            self._retry_seconds = min(max(event.retry / 1000, 0.05), 60.0)
        revision = int(event.id) if event.id.isdecimal() else None
        if revision is None:
            return None
        if not event.data:  # where the stream begins
            self._last = max(revision, self._last or 0)
            if self._on_open is not None:
                self._on_open(self._last)
            return None
        if self._last is not None and revision <= self._last:
            return None
        row = _row(event.data)
        self._last, self._is_good = revision, True
        return row

    def _judge(self) -> bool:
        """A connection has ended. Whether it was a good one; then what went before is forgotten."""
        is_good = self._is_good or (self._opened_at > 0 and _now() - self._opened_at >= _GOOD_SECONDS)
        if is_good:
            self._failures, self._broken_at = 0, None
        self._is_good, self._opened_at = False, 0.0
        return is_good

    def _politely(self) -> float:
        """Seconds until a server that ended the stream is asked again: not by all of its clients at once."""
        return self._retry_seconds * random.uniform(0.5, 1.0)  # noqa: S311 - no secret

    def _wait(self, error: RelaygramError) -> float | None:
        """Seconds until the next attempt, None for no further one."""
        self._failures += 1
        if not self._was_open and self._failures >= self._transport.retries.attempts:
            return None
        self._broken_at = self._broken_at or _now()
        asked = error.retry_after if isinstance(error, ApiError) else None
        wait = backoff_seconds(self._failures) if asked is None else spread(asked)
        return wait if _now() + wait - self._broken_at <= self._longest_outage else None


def _row(data: str) -> LogRow:
    """A row as the stream tells it. Raises UnexpectedAnswerError."""
    try:
        return LogRow.model_validate_json(data)
    except ValueError as error:
        raise UnexpectedAnswerError("the stream tells something that is no row of a log") from error


def _may_pass(error: RelaygramError) -> bool:
    """What a server does that is being restarted, or a proxy before it; or too many streams at this moment."""
    if isinstance(error, ApiError | UnexpectedAnswerError):
        return error.status == 429 or (error.status or 0) >= 500
    return isinstance(error, NoAnswerError)


def _now() -> float:
    return asyncio.get_running_loop().time()
