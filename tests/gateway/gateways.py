"""Gateways as processes."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.support.local_http import local_client, says_ok
from tests.support.waiting import eventually


class GatewayProcess:
    """`python -m relaygram_telegram_gateway` with settings of its own."""

    def __init__(self, name: str, port: int, folder: Path, environment: dict[str, str]) -> None:
        self.name = name
        self.url = f"http://127.0.0.1:{port}"
        self._log = folder / f"{name}.log"
        self._environment = {
            **os.environ, **environment, "RELAYGRAM_INSTANCE": name, "RELAYGRAM_HEALTH_PORT": str(port),
        }  # fmt: skip
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def is_running(self) -> bool:
        """Whether the process is there."""
        return self.process is not None and self.process.poll() is None

    async def start(self, **environment: str) -> None:
        """Start, and wait until it says that it is ready."""
        self.launch(**environment)
        await eventually(self.is_ready, 60, what=f"{self.name} ready")

    def launch(self, **environment: str) -> None:
        """Start without waiting."""
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "relaygram_telegram_gateway"],
                env={**self._environment, **environment},
                stderr=log,
                stdout=log,
            )

    async def is_ready(self) -> bool:
        """Whether /readyz says so."""
        assert self.process is not None
        assert self.process.poll() is None, self.log_text()
        return await says_ok(f"{self.url}/readyz")

    async def kill(self) -> None:
        """kill -9."""
        assert self.process is not None
        self.process.kill()
        await asyncio.to_thread(self.process.wait)

    def send(self, number: signal.Signals) -> None:
        """Any other signal."""
        assert self.process is not None
        self.process.send_signal(number)

    async def stop(self) -> int:
        """SIGTERM; the exit status."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.terminate()
        try:
            return await asyncio.to_thread(self.process.wait, 30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise

    async def metric(self, name: str) -> float:
        """The sum of a metric over its labels."""
        async with local_client() as client:
            text = (await client.get(f"{self.url}/metrics")).text
        return sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith(name))

    def log_text(self) -> str:
        """What it wrote."""
        return self._log.read_text()


@asynccontextmanager
async def ending_well(gateway: GatewayProcess) -> AsyncIterator[GatewayProcess]:
    """One that is started by whoever needs it; what runs at the end must stop as told, and none may have failed."""
    yield gateway
    if gateway.is_running:
        status = await gateway.stop()
        assert status == 0, gateway.log_text()
    if gateway.process is not None:
        assert "Traceback" not in gateway.log_text(), gateway.log_text()
