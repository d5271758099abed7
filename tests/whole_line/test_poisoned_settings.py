"""A wrong setting is said in one line that names what to mend, never in a traceback."""

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping

import httpx
import pytest

from relaygram_common.security.sealing import new_key
from relaygram_local_stack.servers import NatsServer
from tests.support.servers import Database
from tests.support.waiting import eventually

SERVICES = {
    "relaygram_api": "api",
    "relaygram_dispatcher": "dispatcher",
    "relaygram_telegram_gateway": "gateway",
    "relaygram_log_writer": "log_writer",
}
each_service = pytest.mark.parametrize("module", SERVICES)


def run(module: str, env: Mapping[str, str]) -> "subprocess.CompletedProcess[str]":
    clean = {name: value for name, value in os.environ.items() if not name.startswith("RELAYGRAM_")}
    return subprocess.run(
        [sys.executable, "-m", module], env={**clean, **env}, capture_output=True, text=True, timeout=30, check=False
    )


def settings(module: str, database: Database, nats_server: NatsServer, free_port: Callable[[], int]) -> dict[str, str]:
    return {
        "RELAYGRAM_NATS_URL": nats_server.url,
        "RELAYGRAM_POSTGRES_DSN": getattr(database, SERVICES[module]),
        "RELAYGRAM_HEALTH_PORT": str(free_port()),
        "RELAYGRAM_API_PORT": str(free_port()),
        "RELAYGRAM_SECRET_KEYS": new_key("k1"),
        "RELAYGRAM_TELEGRAM_API_ID": "1",
        "RELAYGRAM_TELEGRAM_API_HASH": "any",
    }


def says_one_line(finished: "subprocess.CompletedProcess[str]", about: str) -> None:
    lines = [line for line in finished.stderr.splitlines() if line.strip()]
    assert finished.returncode in (1, 2), finished
    assert "Traceback" not in finished.stderr
    assert any(about.lower() in line.lower() for line in lines), finished.stderr
    assert len([line for line in lines if "[warning" not in line and '"level":' not in line]) == 1, finished.stderr


@each_service
def test_a_database_that_is_not_there(
    module: str, database: Database, provisioned_nats: NatsServer, free_port: Callable[[], int]
) -> None:
    env = settings(module, database, provisioned_nats, free_port)
    env["RELAYGRAM_POSTGRES_DSN"] = f"postgresql://nobody:sesame@127.0.0.1:{free_port()}/nothing"

    finished = run(module, env)

    says_one_line(finished, "postgres")
    assert "sesame" not in finished.stderr + finished.stdout


@pytest.mark.parametrize("module", [module for module in SERVICES if module != "relaygram_api"])
def test_a_nats_server_that_is_not_there(
    module: str, database: Database, provisioned_nats: NatsServer, free_port: Callable[[], int]
) -> None:
    env = settings(module, database, provisioned_nats, free_port)
    env["RELAYGRAM_NATS_URL"] = f"nats://127.0.0.1:{free_port()}"

    says_one_line(run(module, env), "RELAYGRAM_NATS_URL")


async def test_the_api_starts_without_nats_and_says_so_without_a_traceback(
    database: Database, provisioned_nats: NatsServer, free_port: Callable[[], int]
) -> None:
    env = settings("relaygram_api", database, provisioned_nats, free_port)
    env["RELAYGRAM_NATS_URL"] = f"nats://127.0.0.1:{free_port()}"
    clean = {name: value for name, value in os.environ.items() if not name.startswith("RELAYGRAM_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "relaygram_api", env={**clean, **env}, stderr=subprocess.PIPE
    )
    try:
        ready = f"http://127.0.0.1:{env['RELAYGRAM_HEALTH_PORT']}/readyz"
        async with httpx.AsyncClient(timeout=5) as client:

            async def answers() -> bool:
                try:
                    return (await client.get(ready)).status_code == 200
                except httpx.TransportError:
                    return False

            await eventually(answers, 20, what="the api is ready without NATS")
    finally:
        process.terminate()
        _, errors = await asyncio.wait_for(process.communicate(), 20)

    assert process.returncode == 0
    assert b"nats.error" in errors
    assert b"Traceback" not in errors


@each_service
def test_a_port_that_is_taken(
    module: str, database: Database, provisioned_nats: NatsServer, free_port: Callable[[], int]
) -> None:
    env = settings(module, database, provisioned_nats, free_port)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        env["RELAYGRAM_HEALTH_PORT"] = str(taken.getsockname()[1])

        says_one_line(run(module, env), "RELAYGRAM_HEALTH_PORT")


@each_service
def test_a_setting_that_is_missing(
    module: str, database: Database, provisioned_nats: NatsServer, free_port: Callable[[], int]
) -> None:
    env = settings(module, database, provisioned_nats, free_port)
    del env["RELAYGRAM_POSTGRES_DSN"]

    says_one_line(run(module, env), "RELAYGRAM_POSTGRES_DSN")
