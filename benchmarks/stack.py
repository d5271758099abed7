"""A whole stack to measure, and people to write to."""

import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from relaygram_local_stack.demo.api import DemoApi
from relaygram_local_stack.output import StreamOutput
from relaygram_local_stack.plan import StackOptions
from relaygram_local_stack.stack import LocalStack

_REQUEST_SECONDS = 60.0
_AT_ONCE = 5_000


@asynccontextmanager
async def bench_stack(environment: Mapping[str, str]) -> AsyncIterator[tuple[LocalStack, DemoApi, httpx.AsyncClient]]:
    """A stack with these variables: itself, its API and its sandbox's control plane."""
    options = StackOptions(environment=environment)
    with tempfile.TemporaryDirectory(prefix="relaygram-bench-") as name:
        folder = Path(name)
        with (folder / "stack.log").open("w", encoding="utf-8") as log:
            async with LocalStack(folder / "data", options, StreamOutput(log)) as stack:
                headers = {"Authorization": f"Bearer {stack.info.token}"}
                async with (
                    httpx.AsyncClient(base_url=stack.info.api_url, headers=headers, timeout=_REQUEST_SECONDS) as client,
                    httpx.AsyncClient(base_url=str(stack.info.sandbox_url), timeout=_REQUEST_SECONDS) as sandbox,
                ):
                    yield stack, DemoApi(client), sandbox


async def populate(sandbox: httpx.AsyncClient, phone: str, people: int) -> list[str]:
    """A person with this phone who will send, and readers; their handles."""
    (await sandbox.post("/users", json={"phone": phone, "first_name": "Sender"})).raise_for_status()
    handles = [f"bench_{number:07d}" for number in range(people)]
    for start in range(0, people, _AT_ONCE):
        batch = [{"username": handle, "first_name": "Reader"} for handle in handles[start : start + _AT_ONCE]]
        (await sandbox.post("/users", json=batch)).raise_for_status()
    return handles
