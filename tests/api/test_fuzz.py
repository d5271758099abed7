"""schemathesis makes requests, good and bad, from the OpenAPI document; nothing may surprise it.

`make test-faults` runs it bounded and the same each time; `make fuzz` runs it longer and with other requests each time
(`RELAYGRAM_FUZZ_SECONDS`).
"""

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import httpx
import pytest

from relaygram_local_stack.servers import NatsServer
from tests.api.calls import CALLS
from tests.api.log_rows import row, write_rows
from tests.api.served import Process, served_api
from tests.api.support import EMAIL
from tests.support.servers import Database
from tests.support.waiting import eventually

pytestmark = [pytest.mark.faults, pytest.mark.timeout(0)]
_ROOT = Path(__file__).parents[2]
_SECONDS = os.environ.get("RELAYGRAM_FUZZ_SECONDS")
_BOUNDED = ("--generation-deterministic", "--max-examples", "8", "--no-shrink")


@pytest.fixture(scope="module")
async def target(database: Database, provisioned_nats: NatsServer) -> AsyncIterator[Process]:
    limits = {
        "RELAYGRAM_LOGIN_FAILURES_PER_MINUTE": "10000",
        "RELAYGRAM_MEDIA_FETCH_SECONDS": "2",
        "RELAYGRAM_STREAM_MAX_SECONDS": "0.1",
    }
    async with served_api(database, provisioned_nats.url, **limits) as running:
        headers = {"Authorization": f"Bearer {running.token}"}
        async with httpx.AsyncClient(base_url=f"{running.url}/api/v1", headers=headers) as client:
            await _populate(client, database)
        yield running


async def _answered(api: Process) -> set[tuple[str, str, str]]:
    """Method, route and status of every answer so far."""
    async with httpx.AsyncClient() as client:
        metrics = (await client.get(f"http://127.0.0.1:{api.health_port}/metrics")).text
    line = re.compile(r'relaygram_http_request_seconds_count\{method="(\w+)",route="([^"]+)",status="(\d+)"\}')
    return set(line.findall(metrics))


async def _populate(client: httpx.AsyncClient, database: Database) -> None:
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
    (await client.post("/telegram-accounts", json={"kind": "user", "phone": "+4915112345606"})).raise_for_status()
    (await client.post("/media", files={"file": ("note.txt", b"hello")})).raise_for_status()
    gateway = await asyncpg.connect(database.gateway, server_settings={"relaygram.workspace_id": "*"})
    workspace = await gateway.fetchval("select workspace_id from control.telegram_accounts limit 1")
    move = "select outcome from control.account_transition($1, $2, $3, null)"
    states = {1: "active", 2: "active", 3: "code_required", 4: "password_required", 6: "disabled"}
    for account_id, status in states.items():
        assert await gateway.fetchval(move, workspace, account_id, status) == "changed"
    await gateway.close()
    await write_rows(database, workspace, [row(number, "sent", destination="@ann") for number in range(1, 6)])
    await eventually(lambda: _is_started(client), 20)


async def _is_started(client: httpx.AsyncClient) -> bool:
    """Not before the import of its contacts has ended."""
    return (await client.post("/campaigns/1/start")).status_code == 200


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
    answered = await _answered(target)
    assert not [one for one in answered if one[2].startswith("5")]
    never = [
        call.name for call in CALLS if not any(one[:2] == (call.method, call.path) and one[2] < "3" for one in answered)
    ]
    assert never == [], f"these calls were never made well: {never}"
    print(output.decode())  # noqa: T201 - `make fuzz` shows what was tried
