"""The live streams of this process: how many there may be, what wakes them, and when they must end.

A doorbell may be lost: each second the newest revisions of all watched campaigns are looked at, in one statement a
workspace, and the tokens of all streams in one. A stream itself reads only when there may be something to read.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import structlog
from prometheus_client import Counter, Gauge

from relaygram_api.adapters import pg_log_streams
from relaygram_api.adapters.pg_workspace import Database, is_transient
from relaygram_api.caller import Caller
from relaygram_api.errors import too_many, unavailable
from relaygram_api.log_pages import LogPages, Page, Place
from relaygram_api.stream import Stream

log = structlog.get_logger(__name__)

_LOOK_SECONDS: Final = 1.0
# A campaign's streams are woken at most so often: by the first ring at once, by later ones together.
_PACE_SECONDS: Final = 0.05
_RETRY_AFTER_SECONDS: Final = 5

_open = Gauge("relaygram_log_streams", "Live streams of the log that are open")
_ended = Counter("relaygram_log_streams_ended_total", "Live streams that ended, and why", ["why"])


class _Watched:
    """A campaign, and the streams of its log."""

    def __init__(self, workspace_id: int) -> None:
        self.workspace_id = workspace_id
        self.streams: set[Stream] = set()
        self.revision_seen = -1
        self._woken_at = -_PACE_SECONDS
        self._timer: asyncio.TimerHandle | None = None

    def ring(self) -> None:
        """Wake all, now or when they were not woken a moment ago."""
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_at(max(loop.time(), self._woken_at + _PACE_SECONDS), self._wake)

    def forget(self) -> None:
        """Nobody watches any more."""
        if self._timer is not None:
            self._timer.cancel()

    def _wake(self) -> None:
        self._timer = None
        self._woken_at = asyncio.get_running_loop().time()
        for stream in self.streams:
            stream.wake()


class LogStreams:
    """All of them. `run` looks after them until cancelled."""

    def __init__(self, database: Database, *, most: int, per_token: int, readings_at_once: int) -> None:
        self._database = database
        self._pages = LogPages(database, at_once=readings_at_once)
        self._most = most
        self._per_token = per_token
        self._watched: dict[int, _Watched] = {}
        self._of_token: dict[int, set[Stream]] = {}
        self._is_stopping = False

    @contextmanager
    def opened(self, caller: Caller, campaign_id: int, *, after: int) -> Iterator[Stream]:
        """A place among the streams. Raises ApiError when there is none."""
        self._demand_place(caller)
        stream = Stream(caller, campaign_id, after)
        own = self._of_token.setdefault(caller.token_id, set())
        watched = self._watched.setdefault(campaign_id, _Watched(caller.workspace_id))
        own.add(stream)
        watched.streams.add(stream)
        _open.inc()
        try:
            yield stream
        finally:
            own.discard(stream)
            if not own:
                del self._of_token[caller.token_id]
            watched.streams.discard(stream)
            if not watched.streams:
                watched.forget()
                del self._watched[campaign_id]
            _open.dec()
            _ended.labels(stream.why_ended or "failed").inc()

    def ring(self, campaign_id: int) -> None:
        """The log of this campaign has changed."""
        if (watched := self._watched.get(campaign_id)) is not None:
            watched.ring()

    async def next_page(self, stream: Stream) -> Page:
        """What comes after the stream's place. Raises what asyncpg raises."""
        return await self._pages.page(Place(stream.caller.workspace_id, stream.campaign_id, stream.after))

    def stop(self) -> None:
        """The process stops: all end now, and none begins."""
        self._is_stopping = True
        for streams in self._of_token.values():
            for stream in streams:
                stream.end("stopping")

    async def run(self) -> None:
        """Look each second, also through outages of PostgreSQL."""
        is_away = False
        try:
            while True:
                await asyncio.sleep(_LOOK_SECONDS)
                try:
                    await self._end_with_their_tokens()
                    await self._look()
                    is_away = False
                except Exception as error:
                    if not is_transient(error):
                        raise
                    if not is_away:
                        log.warning("streams.wait", error=str(error) or type(error).__name__)
                    is_away = True
        finally:
            await self._pages.close()

    async def _end_with_their_tokens(self) -> None:
        if not self._of_token:
            return
        for token_id in await pg_log_streams.ended_tokens(self._database, list(self._of_token)):
            for stream in self._of_token.get(token_id, ()):
                stream.end("token_ended")

    async def _look(self) -> None:
        by_workspace: dict[int, list[int]] = {}
        for campaign_id, watched in self._watched.items():
            by_workspace.setdefault(watched.workspace_id, []).append(campaign_id)
        for workspace_id, campaign_ids in by_workspace.items():
            newest = await pg_log_streams.revisions(self._database, workspace_id, campaign_ids)
            for campaign_id, revision in newest.items():
                campaign = self._watched.get(campaign_id)
                if campaign is not None and campaign.revision_seen != revision:
                    campaign.revision_seen = revision
                    campaign.ring()

    def _demand_place(self, caller: Caller) -> None:
        if self._is_stopping or sum(map(len, self._of_token.values())) >= self._most:
            raise unavailable("There are too many live streams here. Try again.")
        if len(self._of_token.get(caller.token_id, ())) >= self._per_token:
            said = f"Too many live streams: this token may have {self._per_token} at the same time."
            raise too_many(said, _RETRY_AFTER_SECONDS)
