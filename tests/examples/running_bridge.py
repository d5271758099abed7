"""examples/bridge/bridge.py as it is, a process of its own, and what the gateway before it tells."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

BRIDGE = Path(__file__).parents[2] / "examples" / "bridge" / "bridge.py"
SECRET = "a secret of the gateway"


@contextmanager
def bridge(api_url: str, token: str, port: int) -> Iterator["subprocess.Popen[bytes]"]:
    """A running bridge."""
    told = {"RELAYGRAM_API_URL": api_url, "RELAYGRAM_API_TOKEN": token, "BRIDGE_SECRET": SECRET}
    running = subprocess.Popen(
        [sys.executable, str(BRIDGE)], env={**os.environ, **told, "BRIDGE_PORT": str(port)}, stderr=subprocess.PIPE
    )
    try:
        yield running
    finally:
        running.kill()
        running.communicate()


def report(number: int, status: str = "DELIVERED", **fields: Any) -> dict[str, Any]:
    """What the gateway tells of a message."""
    return {"id": f"msg-{number}", "status": status, "at": datetime.now(UTC).isoformat(), "to": "@ann", **fields}
