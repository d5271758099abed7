"""One sandbox for the whole folder; every test's world begins empty, and Telethon must have nothing to complain of."""

import logging
from collections.abc import AsyncIterator, Iterator

import pytest

from tests.sandbox.support import ProtocolComplaints, SandboxProcess


@pytest.fixture(scope="session")
def sandbox_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    """The process; at the end it has to stop cleanly and to have met nothing unexpected."""
    sandbox = SandboxProcess(tmp_path_factory.mktemp("sandbox") / "state", "--seed", "7")
    yield sandbox
    if sandbox.is_running:
        assert sandbox.terminate() == 0
    assert "Traceback" not in sandbox.log_text()


@pytest.fixture
async def sandbox(sandbox_process: SandboxProcess) -> AsyncIterator[SandboxProcess]:
    """A running sandbox with nobody in it."""
    if sandbox_process.is_running:
        await sandbox_process.attach()
    else:
        await sandbox_process.start()
    await sandbox_process.post("/reset")
    yield sandbox_process
    await sandbox_process.control.aclose()


@pytest.fixture(autouse=True)
def telethon_is_content() -> Iterator[None]:
    """Fails the test when the server broke the protocol."""
    complaints = ProtocolComplaints()
    logger = logging.getLogger("telethon")
    logger.addHandler(complaints)
    yield
    logger.removeHandler(complaints)
    assert complaints.heard == []
