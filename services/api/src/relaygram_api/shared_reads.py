"""Requests that ask the same share one look at the database, and are understood once.

Many clients ask the same address again and again: dashboards, pollers of a log. Two things make such a request cheap.

Its meaning is kept: what a path and query ask of a token never changes, so after the first time neither routing nor
the checks of parameters are repeated. Only data is read anew.

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

from relaygram_api.caller import Caller

Read = Callable[[], Awaitable[Response]]

_KEPT = 4096  # meanings; those not asked for longest are understood anew


@dataclass(frozen=True, slots=True)
class Known:
    """What a request means: how to read its answer, and the route that understood it."""

    read: Read
    route: object


class _Sharing:
    """One reading under way, and those who wait for the next."""

    def __init__(self) -> None:
        self.next: asyncio.Future[Response] | None = None


class SharedReads:
    """The readings of one process."""

    def __init__(self) -> None:
        self._known: OrderedDict[Hashable, Known] = OrderedDict()
        self._under_way: dict[Hashable, _Sharing] = {}
        self._tasks: set[asyncio.Task[None]] = set()

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

    async def answer(self, key: Hashable, read: Read) -> Response:
        """What a reading that begins now or later finds; raises what it raises."""
        sharing = self._under_way.get(key)
        if sharing is None:
            self._under_way[key] = _Sharing()
            outcome = self._begin(key, read)
        else:
            if sharing.next is None:
                sharing.next = asyncio.get_running_loop().create_future()
            outcome = sharing.next
        # One who hangs up must not take the answer from the others.
        return await asyncio.shield(outcome)

    def _begin(
        self, key: Hashable, read: Read, outcome: "asyncio.Future[Response] | None" = None
    ) -> "asyncio.Future[Response]":
        outcome = outcome or asyncio.get_running_loop().create_future()
        task = asyncio.create_task(self._read(key, read, outcome))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return outcome

    async def _read(self, key: Hashable, read: Read, outcome: "asyncio.Future[Response]") -> None:
        try:
            found = await read()
        except BaseException as error:  # noqa: BLE001 - whatever it is, those who wait are told
            if isinstance(error, asyncio.CancelledError):
                outcome.cancel()
            else:
                outcome.set_exception(error)
                outcome.exception()  # it counts as seen, also when all who waited have hung up
        else:
            outcome.set_result(found)
        finally:
            self._go_on(key, read)

    def _go_on(self, key: Hashable, read: Read) -> None:
        """Those who asked meanwhile are next."""
        waiting = self._under_way[key].next
        if waiting is None:
            del self._under_way[key]
        else:
            self._under_way[key].next = None
            self._begin(key, read, waiting)


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


def _reading(request: Request) -> Reading:
    reads: SharedReads = request.app.state.parts.reads
    return Reading(reads, key_of(request.scope, request.state.caller), request.scope["route"])


FromReading = Annotated[Reading, Depends(_reading)]
