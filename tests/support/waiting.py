"""Wait for what has no event: ask often, give up with the last answer."""

import asyncio
import inspect
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar, overload

T = TypeVar("T")
_FIRST_POLL_SECONDS = 0.01
_LAST_POLL_SECONDS = 0.1


@overload
async def eventually(check: Callable[[], Awaitable[T | None]], timeout: float = 30.0, *, what: str = "") -> T: ...
@overload
async def eventually(check: Callable[[], T | None], timeout: float = 30.0, *, what: str = "") -> T: ...
async def eventually(check: Callable[[], Any], timeout: float = 30.0, *, what: str = "") -> Any:
    """Call ``check`` (plain or async) until its answer is true, and return that answer.

    An AssertionError inside the check counts as "not yet" and is raised when the time is up, so a check
    may simply contain assertions and return True.
    """
    deadline = time.monotonic() + timeout
    pause = _FIRST_POLL_SECONDS
    while True:
        answer: Any = None
        failure: AssertionError | None = None
        try:
            answer = check()
            if inspect.isawaitable(answer):
                answer = await answer
        except AssertionError as error:
            failure = error
        if failure is None and answer:
            return answer
        if time.monotonic() > deadline:
            raise failure or AssertionError(f"{what or check} not true within {timeout} s; last answer {answer!r}")
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, _LAST_POLL_SECONDS)


def run_in_thread(coroutine: Coroutine[Any, Any, T], timeout: float = 60.0) -> T:
    """Run a coroutine to its end from plain code, in a loop of its own that no test ever sees."""
    outcome: list[T] = []
    failure: list[BaseException] = []

    def run() -> None:
        try:
            outcome.append(asyncio.run(coroutine))
        except BaseException as error:  # noqa: BLE001 - handed on to the caller below
            failure.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(timeout)
    if failure:
        raise failure[0]
    if not outcome:
        raise TimeoutError(f"not done within {timeout} s")
    return outcome[0]
