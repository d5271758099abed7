"""Starts parts in order of readiness, keeps them running, stops them in reverse order."""

import asyncio
from collections.abc import Callable, Sequence

from relaygram_local_stack.errors import StackError
from relaygram_local_stack.guard import Guard
from relaygram_local_stack.output import Output
from relaygram_local_stack.part import Part
from relaygram_local_stack.process import ProcessSpec


class Supervisor:
    """Parts come in stages: those of one stage start and stop together."""

    def __init__(self, output: Output, guard: Guard, on_change: Callable[[], None] = lambda: None) -> None:
        """``on_change`` is called after each start of a process, when ``pids`` has changed."""
        self._output = output
        self._guard = guard
        self._on_change = on_change
        self._stages: list[list[Part]] = []

    @property
    def pids(self) -> dict[str, int]:
        """What runs now, by name."""
        return {part.spec.name: part.pid for part in self._parts() if part.pid is not None}

    async def start(self, specs: Sequence[ProcessSpec], timeout_seconds: float = 60.0) -> None:
        """Start one stage and return when every part of it is ready; StackError says which one is not."""
        stage = [Part(spec, self._output, self._guard, self._on_change) for spec in specs]
        self._stages.append(stage)
        for part in stage:
            part.start()
        waiting = {part.first_ready for part in stage}
        if not waiting:
            return
        done, pending = await asyncio.wait(waiting, timeout=timeout_seconds, return_when=asyncio.FIRST_EXCEPTION)
        for answer in done:
            answer.result()
        if pending:
            late = ", ".join(part.spec.name for part in stage if not part.first_ready.done())
            raise StackError(f"not ready after {timeout_seconds:g} s: {late}")

    async def stop(self) -> None:
        """Stop the stages in reverse order; repeating it changes nothing."""
        while self._stages:
            await asyncio.gather(*(part.stop() for part in self._stages[-1]))
            self._stages.pop()

    def kill(self) -> None:
        """End everything at once, for who can't wait for ``stop``."""
        for part in self._parts():
            part.kill()

    def _parts(self) -> list[Part]:
        return [part for stage in self._stages for part in stage]
