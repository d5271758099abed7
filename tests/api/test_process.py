"""The api as a process: what only real sockets show."""

import asyncio
from collections.abc import Callable

import httpx
import pytest

from relaygram_local_stack.servers import NatsServer
from tests.api.served import Process, environment, is_ready, start
from tests.support.servers import Database
from tests.support.waiting import eventually


async def test_a_body_that_is_announced_too_large_is_413_before_a_byte_of_it_is_read(process: Process) -> None:
    answer = await process.raw(process.head("POST", "/api/v1/campaigns", "Content-Length: 10000000000"))
    assert answer.startswith(b"HTTP/1.1 413")


async def test_an_unknown_sender_is_401_before_the_body_is_read(process: Process) -> None:
    length = "Content-Length: 1000"
    for path in ("/api/v1/campaigns", "/api/v1/campaigns/1/contacts"):
        answer = await process.raw(process.head("POST", path, length, "Content-Type: application/json"))
        assert answer.startswith(b"HTTP/1.1 401")
    expecting = await process.raw(process.head("POST", "/api/v1/campaigns", length, "Expect: 100-continue"))
    assert expecting.startswith(b"HTTP/1.1 401")


async def test_an_answer_has_no_header_of_the_callers_making(process: Process) -> None:
    answer = await process.raw(
        process.head("GET", "/api/v1/me?x=%0d%0aSet-Cookie:%20a", "X-Request-Id: a%0d%0ab", token=process.token)
    )
    assert answer.startswith(b"HTTP/1.1 200")
    assert b"set-cookie" not in answer.lower()


@pytest.mark.parametrize(
    "path", ["/api/v1/../../etc/passwd", "/docs/assets/../../../pyproject.toml", "/docs/assets/%2e%2e/core.py",
             "//api/v1/me"],
)  # fmt: skip
async def test_paths_lead_nowhere_else(process: Process, path: str) -> None:
    answer = await process.raw(process.head("GET", path, token=process.token))
    assert answer.startswith(b"HTTP/1.1 404")


async def test_the_docs_need_nothing_from_the_internet(process: Process) -> None:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{process.port}") as client:
        page = await client.get("/docs")
        assert page.status_code == 200
        assert '"validatorUrl": null' in page.text
        assert page.headers["Content-Security-Policy"].startswith("default-src 'self';")
        assert "http://" not in page.text
        assert "https://" not in page.text
        for asset in ("swagger-ui-bundle.js", "swagger-ui.css", "favicon.png"):
            assert f"/docs/assets/{asset}" in page.text
            assert (await client.get(f"/docs/assets/{asset}")).status_code == 200
        assert (await client.get("/docs/openapi.json")).json()["openapi"] == "3.1.0"


async def test_health_pages_and_metrics(process: Process) -> None:
    async with httpx.AsyncClient() as client:
        headers = {"Authorization": f"Bearer {process.token}"}
        await client.get(f"http://127.0.0.1:{process.port}/api/v1/campaigns/999", headers=headers)
        for port in (process.port, process.health_port):
            assert (await client.get(f"http://127.0.0.1:{port}/livez")).status_code == 200
            assert (await client.get(f"http://127.0.0.1:{port}/readyz")).json()["checks"] == {"postgres": "ok"}
        metrics = (await client.get(f"http://127.0.0.1:{process.health_port}/metrics")).text
    assert (
        'relaygram_http_request_seconds_count{method="GET",route="/api/v1/campaigns/{campaign_id}",status="404"}'
        in metrics
    )


async def test_a_taken_port_and_wrong_settings_are_one_line(
    process: Process, database: Database, free_port: Callable[[], int]
) -> None:
    wrongs = (
        ({"RELAYGRAM_API_PORT": str(process.port)}, "RELAYGRAM_API_PORT"),
        ({"RELAYGRAM_API_PORT": "x"}, "RELAYGRAM_API_PORT"),
        ({"RELAYGRAM_SECRET_KEYS": ""}, "RELAYGRAM_SECRET_KEYS"),
        ({"RELAYGRAM_POSTGRES_DSN": "postgresql://127.0.0.1:1/x"}, "api:"),
    )
    started = [
        start({**environment(database, "nats://127.0.0.1:1", free_port(), free_port()), **wrong}) for wrong, _ in wrongs
    ]
    ended = await asyncio.gather(*(asyncio.to_thread(one.communicate, timeout=30) for one in started))
    for one, (_, errors), (_, named) in zip(started, ended, wrongs, strict=True):
        lines = [line for line in errors.decode().splitlines() if not line.startswith("{")]
        assert one.returncode in (1, 2)
        assert len(lines) == 1, errors.decode()
        assert named in lines[0]


@pytest.mark.faults
async def test_an_api_killed_in_the_middle_of_an_import_doubles_nobody(
    process: Process, database: Database, provisioned_nats: NatsServer, free_port: Callable[[], int]
) -> None:
    port, health_port = free_port(), free_port()
    victim = start(environment(database, provisioned_nats.url, port, health_port))
    headers = {"Authorization": f"Bearer {process.token}"}
    lines = "".join(f"person_{number:06d}\n" for number in range(100_000))
    async with (
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{process.port}/api/v1", headers=headers, timeout=30) as other,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}/api/v1", headers=headers, timeout=30) as client,
    ):
        await eventually(lambda: is_ready(health_port), 60)
        account = (await client.post("/telegram-accounts", json={"kind": "user", "phone": "+4915112345678"})).json()
        body = {"name": "x", "mode": "broadcast", "body": "x", "telegram_account_id": account["data"]["id"]}
        campaign = (await client.post("/campaigns", json=body)).json()["data"]["id"]
        started = await client.post(
            f"/campaigns/{campaign}/contacts", content=f"handle\n{lines}", headers={"Content-Type": "text/csv"}
        )
        import_id = started.json()["data"]["id"]

        async def status() -> str:
            found: str = (await other.get(f"/imports/{import_id}")).json()["data"]["status"]
            return found

        async def is_running() -> bool:
            return await status() == "running"

        await eventually(is_running, 30)
        victim.kill()
        await asyncio.to_thread(victim.communicate)

        async def is_completed() -> bool:
            return await status() == "completed"

        await eventually(is_completed, 30)
        done = (await other.get(f"/imports/{import_id}")).json()["data"]
        shown = (await other.get(f"/campaigns/{campaign}")).json()["data"]
        senders = (await other.get(f"/campaigns/{campaign}/senders")).json()["meta"]["pagination"]["total"]
    assert (done["accepted"], shown["total_contacts"], senders) == (100_000, 100_000, 100_000)
