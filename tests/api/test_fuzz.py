"""schemathesis makes requests, good and bad, from the OpenAPI document; nothing may surprise it.

`make test-faults` runs it bounded and the same each time; `make fuzz` runs it longer and with other requests each time
(`RELAYGRAM_FUZZ_SECONDS`).
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from relaygram_local_stack.servers import NatsServer
from tests.api.served import Process, served_api
from tests.api.support import EMAIL
from tests.support.servers import Database

pytestmark = [pytest.mark.faults, pytest.mark.timeout(0)]
_ROOT = Path(__file__).parents[2]
_SECONDS = os.environ.get("RELAYGRAM_FUZZ_SECONDS")
_BOUNDED = ("--generation-deterministic", "--max-examples", "8", "--no-shrink")


@pytest.fixture(scope="module")
async def target(database: Database, provisioned_nats: NatsServer) -> AsyncIterator[Process]:
    async with served_api(database, provisioned_nats.url, RELAYGRAM_LOGIN_FAILURES_PER_MINUTE="10000") as running:
        headers = {"Authorization": f"Bearer {running.token}"}
        async with httpx.AsyncClient(base_url=f"{running.url}/api/v1", headers=headers) as client:
            await _populate(client)
        yield running


async def _populate(client: httpx.AsyncClient) -> None:
    """Things with small ids, which are those that are tried most."""
    for number in range(1, 6):
        account = {"kind": "user", "phone": f"+49151123456{number:02}"}
        (await client.post("/telegram-accounts", json=account)).raise_for_status()
        campaign = {
            "name": "x",
            "mode": "broadcast",
            "body": "Hello {{first_name|there}}",
            "telegram_account_id": number,
        }
        (await client.post("/campaigns", json=campaign)).raise_for_status()
        people = {"contacts": [{"handle": f"person_{one}", "first_name": "Jane"} for one in range(5)]}
        (await client.post(f"/campaigns/{number}/contacts", json=people)).raise_for_status()


async def test_the_api_answers_as_its_document_says(target: Process, tmp_path: Path) -> None:
    bounds = ("--max-time", _SECONDS) if _SECONDS else _BOUNDED
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(_ROOT), os.environ.get("PYTHONPATH", "")]),
        "RELAYGRAM_FUZZ_URL": target.url,
        "RELAYGRAM_FUZZ_EMAIL": EMAIL,
        "RELAYGRAM_FUZZ_PASSWORD": target.password,
        "RELAYGRAM_FUZZ_TOKEN": target.token,
    }
    command = (
        *(
            sys.executable,
            "-m",
            "schemathesis.cli",
            "--config-file",
            str(Path(__file__).with_name("schemathesis.toml")),
        ),
        *("run", f"{target.url}/docs/openapi.json", *bounds),
    )
    running = await asyncio.create_subprocess_exec(
        *command, env=environment, cwd=tmp_path, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    try:
        output, _ = await running.communicate()
    finally:
        if running.returncode is None:
            running.kill()
    assert running.returncode == 0, output.decode()
    print(output.decode())  # noqa: T201 - `make fuzz` shows what was tried
