"""The servers start, keep their data over kill -9, and run below private folders."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import nats
import psycopg
import pytest

from relaygram_local_stack.errors import StackError
from relaygram_local_stack.servers import NatsServer, Postgres
from relaygram_local_stack.servers.postgres import postgres_binaries
from relaygram_local_stack.servers.postgres_folders import copy_installation, remove_abandoned
from relaygram_local_stack.servers.run_as import nobody

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has another user to become")


@pytest.fixture(scope="module")
def private_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("private")
    folder.chmod(0o700)
    copy_installation(postgres_binaries(), folder)
    return folder


@pytest.fixture
def private_binaries(private_folder: Path) -> Path:
    return private_folder / postgres_binaries().relative_to(postgres_binaries().parents[2])


@pytest.fixture
def postgres(tmp_path: Path) -> Iterator[Postgres]:
    with Postgres(tmp_path / "cluster", volatile=True) as server:
        yield server


async def test_nats_keeps_streams_over_a_kill(tmp_path: Path) -> None:
    with NatsServer(tmp_path) as server:
        client = await nats.connect(server.url)
        stream = client.jetstream()
        await stream.add_stream(name="KEPT", subjects=["kept"])
        await stream.publish("kept", b"1")
        await client.close()
        server.kill()
        server.start()
        client = await nats.connect(server.url)
        assert (await client.jetstream().stream_info("KEPT")).state.messages == 1
        await client.close()


async def test_both_drivers_take_the_same_postgres_address(postgres: Postgres) -> None:
    postgres.ensure_database("relaygram")
    postgres.ensure_database("relaygram")
    connection = await asyncpg.connect(postgres.dsn("relaygram"))
    assert await connection.fetchval("SELECT current_database()") == "relaygram"
    await connection.close()
    with psycopg.connect(postgres.dsn("relaygram")) as plain:
        assert plain.execute("SELECT lower('ÄÉ'), current_setting('server_encoding')").fetchone() == (
            "äé",
            "UTF8",
        )


def test_postgres_keeps_what_was_committed_before_a_kill(postgres: Postgres) -> None:
    with psycopg.connect(postgres.dsn()) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS number")
    postgres.kill()
    postgres.start()
    with psycopg.connect(postgres.dsn()) as connection:
        assert connection.execute("SELECT number FROM kept").fetchone() == (7,)


def test_postgres_takes_over_from_one_that_outlived_its_parent(postgres: Postgres, tmp_path: Path) -> None:
    first = postgres.pid
    with Postgres(tmp_path / "cluster", volatile=True) as second:
        assert second.pid != first
        with psycopg.connect(second.dsn()) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)


def test_postgres_starts_when_its_pid_file_names_another_program(postgres: Postgres) -> None:
    postgres.kill()
    pid_file = postgres.data / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    pid_file.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")
    postgres.start()
    assert postgres.pid is not None


def test_an_unfinished_cluster_is_made_again(tmp_path: Path) -> None:
    server = Postgres(tmp_path / "cluster", volatile=True)
    half = server.data.with_name("data.unfinished")
    half.mkdir()
    (half / "PG_VERSION").write_text("18\n")
    with server:
        assert server.pid is not None
    assert not half.exists()


def test_a_deep_data_folder_still_gets_a_socket_path_that_fits(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    with Postgres(deep, volatile=True) as server, psycopg.connect(server.dsn()) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_postgres_runs_with_data_and_binaries_below_a_private_folder(
    private_folder: Path, private_binaries: Path
) -> None:
    server = Postgres(private_folder / "cluster", binaries=private_binaries)
    with server, psycopg.connect(server.dsn()) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    assert private_folder.stat().st_mode & 0o777 == 0o700


@as_root
def test_without_namespaces_postgres_runs_as_nobody_in_a_folder_of_its_own(
    private_folder: Path, private_binaries: Path
) -> None:
    folder = private_folder / "as-nobody"
    server = Postgres(folder, binaries=private_binaries, account=nobody(), volatile=True)
    with server, psycopg.connect(server.dsn()) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    assert private_folder.stat().st_mode & 0o777 == 0o700
    elsewhere = (folder / "is-in").resolve()
    assert elsewhere.exists()
    shutil.rmtree(folder)
    remove_abandoned()
    assert not elsewhere.exists()


def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    with (
        NatsServer(tmp_path / "one") as running,
        pytest.raises(StackError, match=r"did not become ready: .*in use"),
    ):
        NatsServer(tmp_path / "two", port=running.port).start()


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's part of it exists on Linux only")
def test_a_server_goes_with_the_process_that_started_it(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys; from pathlib import Path;"
        "from relaygram_local_stack.servers import NatsServer;"
        "server = NatsServer(Path(sys.argv[1])).start(); print(server.pid, flush=True);"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    ended = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, timeout=30)
    assert ended.returncode == -signal.SIGKILL
    pid = int(ended.stdout)
    state = Path(f"/proc/{pid}/stat")
    for _ in range(200):
        if not state.exists() or state.read_text().rpartition(")")[2].split()[0] == "Z":
            return
        signal.sigtimedwait([], 0.01)
    pytest.fail(f"nats-server {pid} outlived its parent")
