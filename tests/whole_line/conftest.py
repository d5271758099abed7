"""One stack for all modules here, since to start one takes as long as most of them. Each brings its own people."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from tests.support.stack import RunningStack, StackProcess, connected, started_stack

_SETTINGS = {
    "RELAYGRAM_RATE_LIMIT_PER_MINUTE": "0",
    "RELAYGRAM_SWEEP_SECONDS": "1",
    "RELAYGRAM_PEER_FLOOD_FIRST_SECONDS": "4",
}


@pytest.fixture(scope="session")
def shared_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackProcess]:
    """Started by the first module that asks, in each process that runs some of them."""
    with started_stack(tmp_path_factory.mktemp("stack"), _SETTINGS) as started:
        yield started


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(shared_stack: StackProcess) -> AsyncIterator[RunningStack]:
    """The stack with clients of this module."""
    async with connected(shared_stack) as running:
        yield running
