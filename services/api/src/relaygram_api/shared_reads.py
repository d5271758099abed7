"""Requests that ask the same share one look at the database, and are understood once.

Many clients ask the same address again and again: dashboards, pollers of a log. Three things make such a request cheap.

Its meaning is kept: what a path and query ask of a token never changes, so after the first time neither routing nor
the checks of parameters are repeated. Only data is read anew.

What is found makes the same answer as long as it is the same: then the answer is not put together again. What has a
version is not even read again while that is the same: the version is asked for each time.

Its reading is shared: who asks while the same is being read waits for the next reading, which begins after all who
wait for it have asked. So nobody is answered from before the question: what a caller wrote, or heard that others
wrote, is in the answer, as if each had read alone.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request, Response
from starlette.types import Scope

from relaygram_api.adapters.pg_workspace import is_transient
from relaygram_api.caller import Caller

Read = Callable[[], Awaitable[Response]]

_KEPT = 4096  # meanings; those not asked for longest are understood anew
_ANSWERS_KEPT = 128  # and as many answers, of at most so many bytes each: some 20 MB with what they were made of
_LONGEST_ANSWER = 64 * 1024


@dataclass(frozen=True, slots=True)
class Known:
    """What a request means: how to read its answer, and the route that understood it."""

    read: Read
    route: object


@dataclass(slots=True)
class Kept:
    """An answer, what was found for it (or its version), and whether that was the same twice in a row."""

    found: object
    response: Response
    is_steady: bool = False


class SharedReads:
    """The readings of one process."""

    def __init__(self) -> None:
        self._known: OrderedDict[Hashable, Known] = OrderedDict()
        # Who waits for the next reading, for each that is under way.
        self._waiting: dict[Hashable, list[asyncio.Future[Response]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._answers: OrderedDict[Hashable, Kept] = OrderedDict()

    def known(self, key: Hashable) -> Known | None:
        """What was asked under this key before; None when nothing was, or it is forgotten."""
        known = self._known.get(key)
        if known is not None:
            self._known.move_to_end(key)
        return known

    def remember(self, key: Hashable, known: Known) -> None:
        """From now on this key means this."""
        self._known[key] = known
        if len(self._known) > _KEPT:
            self._known.popitem(last=False)

    def put_together(self, key: Hashable, found: object, put_together: Callable[[], Response]) -> Response:
        """The answer that shows what was found just now: the last one, when the same was found then."""
        last = self.kept(key)
        if last is not None:
            last.is_steady = last.found == found
            if last.is_steady:
                return last.response
        response = put_together()
        if len(response.body) <= _LONGEST_ANSWER:
            self._answers[key] = Kept(found, response)
            self._answers.move_to_end(key)
            if len(self._answers) > _ANSWERS_KEPT:
                self._answers.popitem(last=False)
        else:
            self._answers.pop(key, None)
        return response

    def kept(self, key: Hashable) -> Kept | None:
        """The last answer."""
        kept = self._answers.get(key)
        if kept is not None:
            self._answers.move_to_end(key)
        return kept

    async def answer(self, key: Hashable, read: Read) -> Response:
        """What a reading that begins now or later finds; raises what it raises."""
        # A future for each, so that one who hangs up does not take the answer from the others.
        outcome: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        waiting = self._waiting.get(key)
        if waiting is None:
            waiting = self._waiting[key] = []
            task = asyncio.create_task(self._read(key, read))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        waiting.append(outcome)
        return await outcome

    async def _read(self, key: Hashable, read: Read) -> None:
        """Read for those who asked, then for those who asked meanwhile, until nobody did."""
        asked: list[asyncio.Future[Response]] = []
        try:
            while asked := self._waiting[key]:
                waiting = self._waiting[key] = []
                await _tell(asked, waiting, read)
        finally:
            for outcome in (*asked, *self._waiting.pop(key)):
                outcome.cancel()  # the process ends


async def _tell(asked: list["asyncio.Future[Response]"], waiting: list["asyncio.Future[Response]"], read: Read) -> None:
    try:
        found = await read()
    except Exception as error:  # noqa: BLE001 - whatever it is, those who asked are told
        if is_transient(error):
            # Without PostgreSQL those who wait would only wait for one more time-out.
            asked = [*asked, *waiting]
            waiting.clear()
        for outcome in asked:
            if not outcome.done():
                outcome.set_exception(error)
    else:
        for outcome in asked:
            if not outcome.done():
                outcome.set_result(found)


def key_of(scope: Scope, caller: Caller) -> Hashable:
    """What decides what is read: the token, whose workspace and abilities never change, and the address."""
    return caller.token_id, scope["path"], scope["query_string"]


class Reading:
    """One request's part in the readings, for handlers that only read."""

    def __init__(self, reads: SharedReads, key: Hashable, route: object) -> None:
        self._reads = reads
        self._key = key
        self._route = route

    async def answer(self, read: Read) -> Response:
        """Read, or share the next reading of the same; the same request needs no handler any more."""
        self._reads.remember(self._key, Known(read, self._route))
        return await self._reads.answer(self._key, read)

    def put_together(self, found: object, put_together: Callable[[], Response]) -> Response:
        """Within a reading: the answer, which must depend on nothing but `found`."""
        return self._reads.put_together(self._key, found, put_together)

    @property
    def is_steady(self) -> bool:
        """Whether it is worth asking for the version first: what changes all the time is rather read at once."""
        kept = self._reads.kept(self._key)
        return kept is not None and kept.is_steady

    def kept_of(self, version: object) -> Response | None:
        """Within a reading: the last answer, if it was of the version that is there now."""
        kept = self._reads.kept(self._key)
        if kept is None or version is None:
            return None
        kept.is_steady = kept.found == version
        return kept.response if kept.is_steady else None

    def keep(self, version: object, put_together: Callable[[], Response]) -> Response:
        """Within a reading: the answer, which must depend on nothing but what this version (None: none) shows."""
        return put_together() if version is None else self._reads.put_together(self._key, version, put_together)


async def _reading(request: Request) -> Reading:
    reads: SharedReads = request.app.state.parts.reads
    return Reading(reads, key_of(request.scope, request.state.caller), request.scope["route"])


FromReading = Annotated[Reading, Depends(_reading)]
