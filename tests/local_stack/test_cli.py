"""What a person sees of the command: one line for what can be mended, no traceback."""

import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from relaygram_local_stack.servers import NatsServer, Postgres


def relaygram(*words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "relaygram_cli", *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, **environment},
    )


def test_the_version_and_the_commands_of_other_packages_are_shown() -> None:
    assert relaygram("--version").stdout.startswith("relaygram 0.")
    shown = relaygram("--help")
    assert shown.returncode == 0
    for command in ("migrate", "provision", "up", "demo"):
        assert command in shown.stdout


def test_migrate_and_provision_take_addresses_from_the_environment(
    postgres_server: Postgres, nats_server: NatsServer
) -> None:
    postgres_server.ensure_database("by_command")
    dsn = postgres_server.dsn("by_command")
    for _ in range(2):
        done = relaygram("migrate", RELAYGRAM_POSTGRES_DSN=dsn)
        assert (done.returncode, done.stderr) == (0, "")
    with psycopg.connect(dsn) as connection:
        found = connection.execute("SELECT 1 FROM pg_namespace WHERE nspname = 'control'").fetchone()
    assert found == (1,)
    done = relaygram("provision", RELAYGRAM_NATS_URL=nats_server.url)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["migrate", "--dsn", "postgresql://x@127.0.0.1:1/y"], "relaygram: cannot migrate: "),
        (["migrate", "--dsn", "nonsense"], "relaygram: --dsn is not an address like "),
        (["provision", "--nats-url", "nats://127.0.0.1:1"], "relaygram: cannot provision: "),
        (["up", "--data", "{folder}", "--scale", "postman=2"], "relaygram: there is no service 'postman'"),
        (["up", "--data", "{folder}", "--scale", "api=0"], "relaygram: api=0: give a number from 1 to 16"),
        (["up", "--data", "{folder}", "--ready-file", "/no/such/file"], "relaygram: cannot write /no/such/file"),
    ],
)
def test_what_can_be_mended_is_one_line_and_status_1(words: list[str], said: str, tmp_path: Path) -> None:
    done = relaygram(*(word.format(folder=tmp_path / "data") for word in words))
    assert done.returncode == 1
    assert done.stderr.startswith(said)
    assert done.stderr.count("\n") == 1


def test_a_taken_port_is_one_line(tmp_path: Path, nats_server: NatsServer) -> None:
    done = relaygram("up", "--data", str(tmp_path), "--api-port", str(nats_server.port))
    assert done.returncode == 1
    assert done.stderr.startswith(f"relaygram: port {nats_server.port} for api is taken")


def test_wrong_usage_is_status_2() -> None:
    assert relaygram("no-such-command").returncode == 2
    assert relaygram("up", "--api-port", "0").returncode == 2
    assert relaygram("up", "--scale", "telegram-gateway").returncode == 2
