"""`relaygram up`, as its own process, below a private folder: what it promises while it runs and when it ends."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.local_stack.processes import runs

PROCESSES = {"api", "dispatcher", "telegram-gateway", "log-writer", "nats", "postgres", "sandbox"}
SERVICES = PROCESSES - {"nats", "postgres", "sandbox"}


@dataclass
class Up:
    """A running `relaygram up`."""

    process: "subprocess.Popen[str]"
    data: Path
    ready_file: Path
    log: Path

    @property
    def info(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.ready_file.read_text())
        return found


@contextlib.contextmanager
def up(folder: Path, *words: str, **environment: str) -> Iterator[Up]:
    folder.mkdir(exist_ok=True, mode=0o700)
    ready_file, log = folder / "ready.json", folder / "up.log"
    command = [sys.executable, "-m", "relaygram_cli", "up", "--data", str(folder / "data")]
    command += ["--ready-file", str(ready_file), *words]
    with (
        log.open("w") as stream,
        subprocess.Popen(
            command, stdout=stream, stderr=stream, text=True, env={**os.environ, **environment}
        ) as process,
    ):
        try:
            wait_for(lambda: ready_file.exists() or process.poll() is not None, 60)
            assert process.poll() is None, log.read_text()
            yield Up(process, folder / "data", ready_file, log)
        finally:
            process.terminate()
            process.wait(30)


def wait_for(check: Any, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline, "not within the time"
        time.sleep(0.02)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    folder = tmp_path_factory.mktemp("up")
    folder.chmod(0o700)
    with up(folder, "--scale", "telegram-gateway=2", RELAYGRAM_LOG_LEVEL="WARNING") as stack:
        yield stack


def test_the_ready_file_says_what_is_where(running: Up) -> None:
    info = running.info
    assert running.ready_file.stat().st_mode & 0o777 == 0o600
    assert set(info) == {"api_url", "token", "nats_url", "postgres_dsn", "sandbox_url", "health", "pids"}
    assert set(info["pids"]) == PROCESSES | {"telegram-gateway-2"}
    assert set(info["health"]) == SERVICES | {"telegram-gateway-2"}
    assert all(runs(pid) for pid in info["pids"].values())
    for url in info["health"].values():
        assert httpx.get(f"{url}/readyz").status_code == 200
    assert httpx.get(f"{info['sandbox_url']}/info").json()["port"]


def test_the_token_opens_the_api(running: Up) -> None:
    info = running.info
    headers = {"Authorization": f"Bearer {info['token']}"}
    assert httpx.get(f"{info['api_url']}/api/v1/campaigns", headers=headers).status_code == 200
    assert httpx.get(f"{info['api_url']}/api/v1/campaigns").status_code == 401


def test_the_password_is_told_once_and_kept(running: Up) -> None:
    kept = running.data / "credentials.json"
    assert kept.stat().st_mode & 0o777 == 0o600
    credentials = json.loads(kept.read_text())
    assert running.log.read_text().count(credentials["password"]) == 1
    login = httpx.post(
        f"{running.info['api_url']}/api/v1/login",
        json={"email": credentials["email"], "password": credentials["password"], "device_name": "test"},
    )
    assert login.status_code == 200


def test_log_lines_are_prefixed_and_without_colour(running: Up) -> None:
    text = running.log.read_text()
    assert "\x1b" not in text
    assert "postgres           | " in text


@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
def test_given_variables_reach_every_service(running: Up) -> None:
    for name, pid in running.info["pids"].items():
        if name in running.info["health"]:
            variables = Path(f"/proc/{pid}/environ").read_text().split("\0")
            assert "RELAYGRAM_LOG_LEVEL=WARNING" in variables
            assert f"RELAYGRAM_INSTANCE={name}" in variables


def test_a_second_stack_on_the_same_folder_is_refused(running: Up) -> None:
    command = [sys.executable, "-m", "relaygram_cli", "up", "--data", str(running.data)]
    second = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert second.returncode == 1
    assert second.stderr == f"relaygram: another stack (process {running.process.pid}) already runs on {running.data}\n"


@pytest.mark.parametrize("name", ["log-writer", "nats", "postgres", "sandbox"])
def test_what_is_killed_comes_back_with_the_same_address(running: Up, name: str) -> None:
    before = running.info
    os.kill(before["pids"][name], signal.SIGKILL)
    wait_for(lambda: running.info["pids"].get(name) not in (None, before["pids"][name]), 10)
    for url in before["health"].values():
        wait_for(lambda url=url: _status(f"{url}/readyz") == 200, 20)
    after = running.info
    assert {**after, "pids": None} == {**before, "pids": None}


def _status(url: str) -> int:
    try:
        return httpx.get(url, timeout=2).status_code
    except httpx.HTTPError:
        return 0


@pytest.mark.faults
def test_it_ends_with_all_its_parts_and_starts_again_as_it_was(running: Up, tmp_path: Path) -> None:
    """Beside the other stack: started, stopped, started, killed with -9, started again."""
    with up(tmp_path, "--no-sandbox") as stack:
        first = stack.info
        assert first["sandbox_url"] is None
        assert set(first["pids"]) == PROCESSES - {"sandbox"}
        assert not set(_ports(first)) & set(_ports(running.info))
        assert "RELAYGRAM_TELEGRAM_API_ID" in _reason_for_not_connecting(first)
        stack.process.send_signal(signal.SIGTERM)
        assert stack.process.wait(20) == 0
        assert not any(runs(pid) for pid in first["pids"].values())
        assert not stack.ready_file.exists()
    with up(tmp_path, "--no-sandbox") as stack:
        second = stack.info
        assert {**second, "pids": None} == {**first, "pids": None}
        assert "password: kept in" in stack.log.read_text()
        stack.process.kill()
        wait_for(lambda: not any(runs(pid) for pid in second["pids"].values()), 2)
        stack.ready_file.unlink()
    with up(tmp_path, "--no-sandbox") as stack:
        assert {**stack.info, "pids": None} == {**first, "pids": None}
        stack.process.send_signal(signal.SIGINT)
        assert stack.process.wait(20) == 0
    assert set(running.info["pids"]) == PROCESSES | {"telegram-gateway-2"}


def _reason_for_not_connecting(info: dict[str, Any]) -> str:
    """Without a sandbox and without credentials there is no Telegram to connect an account to."""
    headers = {"Authorization": f"Bearer {info['token']}"}
    with httpx.Client(base_url=f"{info['api_url']}/api/v1", headers=headers, timeout=5) as api:
        account = api.post("/telegram-accounts", json={"kind": "user", "phone": "+4915112345678"}).json()["data"]
        path = f"/telegram-accounts/{account['id']}"
        wait_for(lambda: api.get(path).json()["data"]["status"] == "disabled", 10)
        return str(api.get(path).json()["data"]["status_reason"])


def _ports(info: dict[str, Any]) -> list[str]:
    return [url.rsplit(":", 1)[1] for url in [info["api_url"], info["nats_url"], *info["health"].values()]]
