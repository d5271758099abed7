"""One part of the stack, kept running: started, watched, restarted with back-off, stopped."""

import asyncio
import signal
import time
from collections import deque
from collections.abc import Callable

from relaygram_local_stack.errors import StackError
from relaygram_local_stack.guard import Guard
from relaygram_local_stack.output import Output
from relaygram_local_stack.process import ProcessSpec
from relaygram_local_stack.restart import RestartDelays
from relaygram_local_stack.running import RunningProcess

_FIRST_POLL_SECONDS = 0.01
_LAST_POLL_SECONDS = 0.1
_KILL_SECONDS = 5.0
_FIRST_ATTEMPTS = 3
#: Exit status of a service that refuses a setting: trying again would change nothing.
WRONG_SETTING = 2


class Part:
    """Runs the spec until it is told to stop. ``first_ready`` resolves once, or says why it never will."""

    def __init__(self, spec: ProcessSpec, output: Output, guard: Guard, on_change: Callable[[], None]) -> None:
        self.spec = spec
        self.pid: int | None = None
        self.restarts = 0
        self.first_ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._output = output
        self._guard = guard
        self._on_change = on_change
        self._process: RunningProcess | None = None
        self._stopping = asyncio.Event()
        self._lines: deque[str] = deque(maxlen=3)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin; returns at once."""
        self._task = asyncio.create_task(self._keep_running(), name=f"keep {self.spec.name} running")

    async def stop(self) -> None:
        """Stop it for good: by its signal, and by force when that takes too long."""
        self._stopping.set()
        if self._task is None:
            return
        if self._process is not None:
            self._process.signal(self.spec.stop_signal)
        done, _ = await asyncio.wait({self._task}, timeout=self.spec.stop_seconds)
        if not done and self._process is not None:
            self._output.note(f"{self.spec.name} did not stop within {self.spec.stop_seconds:g} s, killing it")
            self._process.kill_group()
            await asyncio.wait({self._task}, timeout=_KILL_SECONDS)
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self.first_ready.cancel()
        if not self.first_ready.cancelled():
            self.first_ready.exception()  # has been told, or nobody waits for it any more

    def kill(self) -> None:
        """End it by force, and do not start it again."""
        self._stopping.set()
        if self._process is not None:
            self._process.kill_group()

    async def _keep_running(self) -> None:
        delays = RestartDelays()
        while not self._stopping.is_set():
            try:
                status, healthy_seconds = await self._run_once()
            except (OSError, StackError) as error:
                status, healthy_seconds = None, 0.0
                self._lines.append(str(error))
            if self._stopping.is_set():
                return
            delay = delays.after(healthy_seconds)
            ended = "could not be started" if status is None else f"stopped ({_describe(status)})"
            if not self.first_ready.done() and (status == WRONG_SETTING or delays.attempts >= _FIRST_ATTEMPTS):
                said = " | ".join(dict.fromkeys(self._lines)) or "it said nothing"
                self.first_ready.set_exception(StackError(f"{self.spec.name} {ended} before it was ready: {said}"))
                return
            self._output.note(f"{self.spec.name} {ended}, restarting " + (f"in {delay:g} s" if delay else "now"))
            self.restarts += 1
            await self._pause(delay)

    async def _run_once(self) -> tuple[int, float]:
        """From start to end: exit status, and for how long it was ready."""
        if self.spec.before_start is not None:
            await asyncio.to_thread(self.spec.before_start)
        process = RunningProcess(self.spec, self._on_line)
        self._process = process
        self._guard.watch(process.pid, self.spec.stop_signal)
        self.pid = process.pid
        self._on_change()
        if self._stopping.is_set():
            process.signal(self.spec.stop_signal)
        readiness = asyncio.create_task(self._wait_until_ready(process.pid))
        status = await process.exited
        readiness.cancel()
        (ready_at,) = await asyncio.gather(readiness, return_exceptions=True)
        process.kill_group()  # whatever it started must not hold its port or files against the next one
        self._guard.forget(process.pid)
        self._process, self.pid = None, None
        await process.last_lines()
        return status, time.monotonic() - ready_at if isinstance(ready_at, float) else 0.0

    async def _wait_until_ready(self, pid: int) -> float:
        pause = _FIRST_POLL_SECONDS
        while not await asyncio.to_thread(self.spec.is_ready, pid):
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, _LAST_POLL_SECONDS)
        if not self.first_ready.done():
            self.first_ready.set_result(None)
        return time.monotonic()

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return

    def _on_line(self, text: str) -> None:
        self._lines.append(text)
        if self.spec.hidden_word is None or self.spec.hidden_word not in text:
            self._output.line(self.spec.name, text)


def _describe(status: int) -> str:
    if status >= 0:
        return f"exit status {status}"
    try:
        return signal.Signals(-status).name
    except ValueError:
        return f"signal {-status}"
