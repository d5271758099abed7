"""`relaygram up` as a process of its own, as a person runs it, and the calls that tests make to it."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from relaygram_local_stack.demo.api import DemoApi
from tests.support.local_http import local_client
from tests.support.waiting import eventually

START_SECONDS = 60.0
STOP_SECONDS = 30.0


@dataclass(frozen=True)
class StackProcess:
    """A stack that is ready."""

    process: "subprocess.Popen[bytes]"
    folder: Path
    ready_file: Path
    log_file: Path


@dataclass(frozen=True)
class RunningStack(StackProcess):
    """A stack that is ready, and clients of it."""

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


@contextmanager
def started_stack(folder: Path, env: Mapping[str, str], *arguments: str) -> Iterator[StackProcess]:
    """Start a stack, wait until it is ready, stop it by SIGTERM. Blocking."""
    ready_file, log_file = folder / "ready.json", folder / "stack.log"
    command = [sys.executable, "-m", "relaygram_cli", "up", "--data", str(folder / "data")]
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            [*command, "--ready-file", str(ready_file), *arguments],
            stdout=log,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **env},
        )
        try:
            deadline = time.monotonic() + START_SECONDS
            while not ready_file.exists():
                assert process.poll() is None, log_file.read_text()[-4000:]
                assert time.monotonic() < deadline, "not ready"
                time.sleep(0.05)
            yield StackProcess(process, folder, ready_file, log_file)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(STOP_SECONDS)


@asynccontextmanager
async def connected(started: StackProcess) -> AsyncIterator[RunningStack]:
    """The stack with clients of this event loop."""
    info = json.loads(started.ready_file.read_text())
    headers = {"Authorization": f"Bearer {info['token']}"}
    async with (
        local_client(base_url=info["api_url"], headers=headers, timeout=30) as client,
        local_client(base_url=info["sandbox_url"], timeout=30) as sandbox,
    ):
        yield RunningStack(started.process, started.folder, started.ready_file, started.log_file, client, sandbox)


@asynccontextmanager
async def running_stack(folder: Path, env: Mapping[str, str], *arguments: str) -> AsyncIterator[RunningStack]:
    """A stack of one's own."""
    starting = started_stack(folder, env, *arguments)
    started = await asyncio.to_thread(starting.__enter__)
    try:
        async with connected(started) as running:
            yield running
    finally:
        await asyncio.to_thread(starting.__exit__, None, None, None)
