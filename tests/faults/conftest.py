"""One stack, and one account with 2,000 people, for a module of faults."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.support.broadcast import Audience, gather_audience
from tests.support.stack import RunningStack, running_stack

PEOPLE = 2_000


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningStack]:
    """A stack whose waits are short."""
    folder: Path = tmp_path_factory.mktemp("stack")
    env = {
        "RELAYGRAM_RANDOM_ID_TRUST_SECONDS": "2",
        "RELAYGRAM_LEASE_SECONDS": "4",
        "RELAYGRAM_RATE_LIMIT_PER_MINUTE": "0",
    }
    async with running_stack(folder, env) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def audience(stack: RunningStack) -> Audience:
    """Sent to at a pace that leaves time for kills; Telegram's memory is made short, so that it does not save us."""
    (await stack.sandbox.put("/settings", json={"random_id_memory_seconds": 5})).raise_for_status()
    return await gather_audience(
        stack, people=PEOPLE, messages_per_second=400, phone="+4915200000001", handle_stem="person"
    )
