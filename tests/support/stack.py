"""`relaygram up` as a process of its own, as a person runs it, and the calls that tests make to it."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from relaygram_local_stack.demo.api import DemoApi
from tests.support.waiting import eventually

START_SECONDS = 60.0
STOP_SECONDS = 30.0


@dataclass(frozen=True)
class RunningStack:
    """A stack that is ready."""

    process: "subprocess.Popen[bytes]"
    ready_file: Path
    log_file: Path
    client: httpx.AsyncClient
    sandbox: httpx.AsyncClient

    @property
    def info(self) -> dict[str, Any]:
        """The ready file as it is now: after a restart of a part `pids` has changed."""
        info: dict[str, Any] = json.loads(self.ready_file.read_text())
        return info

    @property
    def api(self) -> DemoApi:
        """The API as a user calls it."""
        return DemoApi(self.client)

    def kill(self, part: str) -> int:
        """kill -9 of one part; the pid that died."""
        pid: int = self.info["pids"][part]
        os.kill(pid, signal.SIGKILL)
        return pid

    async def restarted(self, part: str, old_pid: int, timeout: float = 30.0) -> int:
        """Wait for the part's next process."""
        return await eventually(
            lambda: (pid := self.info["pids"].get(part)) != old_pid and pid, timeout, what=f"{part} restarted"
        )


@asynccontextmanager
async def running_stack(folder: Path, env: Mapping[str, str], *arguments: str) -> AsyncIterator[RunningStack]:
    """Start a stack, wait until it is ready, stop it by SIGTERM."""
    ready_file, log_file = folder / "ready.json", folder / "stack.log"
    command = [sys.executable, "-m", "relaygram_cli", "up", "--data", str(folder / "data")]
    with log_file.open("wb") as log:
        # A blocking start of some milliseconds; its end is awaited in a thread.
        process = subprocess.Popen(  # noqa: ASYNC220
            [*command, "--ready-file", str(ready_file), *arguments],
            stdout=log,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **env},
        )
        try:
            await eventually(lambda: ready_file.exists() or process.poll() is not None, START_SECONDS, what="ready")
            assert process.poll() is None, log_file.read_text()[-4000:]
            info = json.loads(ready_file.read_text())
            headers = {"Authorization": f"Bearer {info['token']}"}
            async with (
                httpx.AsyncClient(base_url=info["api_url"], headers=headers, timeout=30) as client,
                httpx.AsyncClient(base_url=info["sandbox_url"], timeout=30) as sandbox,
            ):
                yield RunningStack(process, ready_file, log_file, client, sandbox)
        finally:
            process.send_signal(signal.SIGTERM)
            await asyncio.to_thread(process.wait, STOP_SECONDS)
