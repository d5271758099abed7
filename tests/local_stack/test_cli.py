"""What a person sees of the command: one line for what can be mended, no traceback."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import psycopg
import pytest

from relaygram_cli.__main__ import main
from relaygram_local_stack.servers import NatsServer, Postgres


class Done(NamedTuple):
    status: int
    out: str
    err: str


Relaygram = Callable[..., Done]


@pytest.fixture
def relaygram(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Relaygram:
    """The command in this process: starting Python for each would take most of the time."""

    def run(*words: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["relaygram", *words])
        with pytest.raises(SystemExit) as end:
            main()
        return Done(int(end.value.code or 0), *capsys.readouterr())

    return run


def test_the_installed_command_shows_its_version() -> None:
    command = [str(Path(sys.executable).with_name("relaygram")), "--version"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True, env=dict(os.environ))
    assert done.stdout.startswith("relaygram 0.")


def test_the_commands_of_other_packages_are_shown(relaygram: Relaygram) -> None:
    shown = relaygram("--help")
    assert shown.status == 0
    for command in ("migrate", "provision", "up", "demo"):
        assert command in shown.out


def test_migrate_and_provision_take_addresses_from_the_environment(
    relaygram: Relaygram, postgres_server: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    postgres_server.ensure_database("by_command")
    dsn = postgres_server.dsn("by_command")
    monkeypatch.setenv("RELAYGRAM_POSTGRES_DSN", dsn)
    with NatsServer(tmp_path) as nats_server:
        monkeypatch.setenv("RELAYGRAM_NATS_URL", nats_server.url)
        for command in ("migrate", "migrate", "provision", "provision"):
            done = relaygram(command)
            assert (done.status, done.err) == (0, "")
    with psycopg.connect(dsn) as connection:
        found = connection.execute("SELECT 1 FROM pg_namespace WHERE nspname = 'control'").fetchone()
    assert found == (1,)


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
def test_what_can_be_mended_is_one_line_and_status_1(
    relaygram: Relaygram, words: list[str], said: str, tmp_path: Path
) -> None:
    done = relaygram(*(word.format(folder=tmp_path / "data") for word in words))
    assert done.status == 1
    assert done.err.startswith(said)
    assert done.err.count("\n") == 1


def test_a_taken_port_is_one_line(relaygram: Relaygram, tmp_path: Path, nats_server: NatsServer) -> None:
    done = relaygram("up", "--data", str(tmp_path), "--api-port", str(nats_server.port))
    assert done.status == 1
    assert done.err.startswith(f"relaygram: port {nats_server.port} for api is taken")
    assert done.err.count("\n") == 1


@pytest.mark.parametrize(
    "words", [["no-such-command"], ["up", "--api-port", "0"], ["up", "--scale", "telegram-gateway"], ["migrate"]]
)
def test_wrong_usage_is_status_2(relaygram: Relaygram, words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RELAYGRAM_POSTGRES_DSN", raising=False)
    assert relaygram(*words).status == 2
