"""Runs a service: health page first, then its parts, until told to stop or until a part dies.

A part that dies takes the process with it: whoever supervises it starts it anew, and all truth is in PostgreSQL and
JetStream. A service that limps along with a dead loop would look healthy and do nothing.
"""

import asyncio
import contextlib
import gc
import signal
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeVar

import asyncpg
import structlog
import uvicorn

from relaygram_common.health import Health, health_app, http_server, listen
from relaygram_common.logging import configure_logging
from relaygram_common.settings import ServiceSettings
from relaygram_common.tasks import cancel_and_wait

log = structlog.get_logger(__name__)
_OBJECTS_BEFORE_COLLECTION = 50_000
Settings = TypeVar("Settings", bound=ServiceSettings)


class Runtime:
    """What a service's `build` gets: a place for its loops, and the health page."""

    def __init__(self) -> None:
        self.health = Health()
        self.stopping = asyncio.Event()
        self.failure: BaseException | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def spawn(self, work: Coroutine[Any, Any, None], *, name: str) -> asyncio.Task[None]:
        """Run a loop of the service in the background; if it ends by an error, the process ends."""
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._on_done)
        return task

    def _on_done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("part.died", part=task.get_name(), exc_info=error)
            self.failure = error
            self.stopping.set()

    async def cancel_tasks(self) -> None:
        """Cancel the loops and wait for them."""
        await cancel_and_wait(list(self._tasks))


Build = Callable[[Settings, Runtime], AbstractAsyncContextManager[None]]

# What a wrong setting or an absent server looks like at the start: said in one line, without a traceback.
_START_ERRORS = (OSError, TimeoutError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError)


def run_service(name: str, settings: Settings, build: Build[Settings]) -> int:
    """Run until SIGTERM or SIGINT; the exit status. 0 stopped as told, 1 something failed."""
    configure_logging(log_format=settings.log_format, level=settings.log_level, service=name)
    gc.freeze()
    gc.enable()  # a service's __main__ does without until everything is loaded
    try:
        if sys.platform != "win32":
            import uvloop

            return uvloop.run(_main(name, settings, build))
        return asyncio.run(_main(name, settings, build))
    except KeyboardInterrupt:
        return 0


async def _main(name: str, settings: Settings, build: Build[Settings]) -> int:
    runtime = Runtime()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, runtime.stopping.set)
    try:
        async with _health_page(settings, runtime), build(settings, runtime):
            _collect_seldom()
            runtime.health.started = True
            log.info("service.ready", instance=settings.instance)
            await runtime.stopping.wait()
            log.info("service.stopping")
    except _START_ERRORS as error:
        if runtime.health.started:
            raise
        sys.stderr.write(f"{name}: {_one_line(error)}\n")
        return 1
    finally:
        await runtime.cancel_tasks()
    return 0 if runtime.failure is None else 1


def _collect_seldom() -> None:
    """What was made until now stays; of what is made from now on nearly all goes without the garbage collector, which
    by default looks at it after each 700 objects: a fifth of the log-writer's work."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_OBJECTS_BEFORE_COLLECTION, 20, 100)


@contextlib.asynccontextmanager
async def _health_page(settings: ServiceSettings, runtime: Runtime) -> AsyncIterator[None]:
    socket = listen(settings.health_host, settings.health_port, setting="RELAYGRAM_HEALTH_PORT")
    server = http_server(health_app(runtime.health), shutdown_seconds=1)
    async with serving(server, socket):
        yield


@contextlib.asynccontextmanager
async def serving(server: uvicorn.Server, socket: Any) -> AsyncIterator[None]:
    """Serve in the background; signals stay ours."""
    server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign,assignment]
    task = asyncio.create_task(server.serve(sockets=[socket]), name="http")
    try:
        yield
    finally:
        server.should_exit = True
        await task


def _one_line(error: BaseException) -> str:
    return " ".join((str(error) or type(error).__name__).split())
