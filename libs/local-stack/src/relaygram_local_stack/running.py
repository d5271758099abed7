"""One running process: its lines handed on, its end told to the event loop.

Two threads a process rather than asyncio's subprocesses: there a grandchild that keeps the output open hides
the end of the process, and a terminal that does not take lines stops the loop.
"""

import asyncio
import os
import signal
import subprocess
import threading
from collections.abc import Callable
from contextlib import suppress

from relaygram_local_stack.process import ProcessSpec

_LONGEST_LINE_BYTES = 64 * 1024
_LAST_LINES_SECONDS = 1.0


class RunningProcess:
    """Starts at once; the caller's thread must live as long as the process (the kernel's tie is to it)."""

    def __init__(self, spec: ProcessSpec, on_line: Callable[[str], None]) -> None:
        self._on_line = on_line
        self._loop = asyncio.get_running_loop()
        self.exited: asyncio.Future[int] = self._loop.create_future()
        self._popen = subprocess.Popen(
            spec.full_command(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=dict(spec.environment) or None,
            start_new_session=True,
            user=spec.user_id,
            group=spec.group_id,
            extra_groups=[] if spec.user_id is not None else None,
        )
        self.pid = self._popen.pid
        self._reader = threading.Thread(target=self._read, name=f"{spec.name} output", daemon=True)
        self._reader.start()
        threading.Thread(target=self._wait, name=f"{spec.name} end", daemon=True).start()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process; nothing happens when it is gone."""
        self._popen.send_signal(number)

    def kill_group(self) -> None:
        """End the process and what it started in its session, by force."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)

    async def last_lines(self) -> None:
        """Wait until what it wrote before its end has been handed on."""
        await asyncio.to_thread(self._reader.join, _LAST_LINES_SECONDS)

    def _read(self) -> None:
        stream = self._popen.stdout
        if stream is None:
            return
        with stream:
            while raw := stream.readline(_LONGEST_LINE_BYTES):
                self._on_line(raw.decode(errors="replace").rstrip("\r\n"))

    def _wait(self) -> None:
        status = self._popen.wait()
        with suppress(RuntimeError):  # the loop has been closed: nobody asks any more
            self._loop.call_soon_threadsafe(self._tell, status)

    def _tell(self, status: int) -> None:
        if not self.exited.done():
            self.exited.set_result(status)
