"""Large bodies over a real socket: refused early, and streamed."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from relaygram_client import NotFoundError, Relaygram, TooLargeError, UnauthenticatedError, UploadBrokenError
from relaygram_local_stack.servers import NatsServer
from tests.api.served import Process, served_api
from tests.api.support import Api, running_api
from tests.support.servers import Database

LINE = b"someone_%07d,%s\n"


@pytest.fixture(scope="module")
async def process(database: Database, provisioned_nats: NatsServer) -> AsyncIterator[Process]:
    """Takes files of 4 MiB at most."""
    async with served_api(database, provisioned_nats.url, RELAYGRAM_MAX_CSV_BYTES=str(4 * 1024 * 1024)) as running:
        yield running


@pytest.fixture(scope="module")
async def api(process: Process, database: Database, provisioned_nats: NatsServer) -> AsyncIterator[Api]:
    """Makes data in the workspace of `process`."""
    async with running_api(database, provisioned_nats.url) as running:
        yield running


def people(path: Path, number: int) -> Path:
    with path.open("wb") as file:
        file.write(b"handle,note\n")
        file.writelines(LINE % (line, b"x" * 90) for line in range(number))
    return path


async def test_why_a_large_body_was_refused_is_told_though_the_answer_is_lost_with_the_connection(
    process: Process, api: Api, tmp_path: Path
) -> None:
    file = people(tmp_path / "people.csv", 300_000)  # 33 MB
    campaign = (await api.campaign())["id"]
    async with Relaygram(process.url, "1|wrong") as relaygram:
        with pytest.raises(UnauthenticatedError):
            await relaygram.contacts.import_csv(campaign, file)
    async with Relaygram(process.url, process.token) as relaygram:
        with pytest.raises(NotFoundError):
            await relaygram.contacts.import_csv(987_654, file)
        with pytest.raises((TooLargeError, UploadBrokenError), match="larger than"):
            await relaygram.contacts.import_csv(campaign, file)


async def test_progress_is_told_while_the_body_goes(process: Process, api: Api, tmp_path: Path) -> None:
    file = people(tmp_path / "people.csv", 20_000)
    campaign = (await api.campaign())["id"]
    told: list[int] = []
    async with Relaygram(process.url, process.token) as relaygram:
        begun = await relaygram.contacts.import_csv(campaign, file, on_progress=told.append)
        done = await relaygram.imports.wait(begun.id, timeout_seconds=60)
    assert done.accepted == 20_000
    assert len(told) > 5
    assert told == sorted(told)
    assert told[-1] > 2_000_000
