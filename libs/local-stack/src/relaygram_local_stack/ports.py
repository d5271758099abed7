"""Free ports on the loopback interface, and the ports that a data folder keeps over restarts.

Ports are drawn from below the kernel's ephemeral range (Linux: 32768 and up, macOS: 49152 and up).
Above it a client that reconnects to a server which is just restarting can be given the server's own
port as its local one, connect to itself, and so keep the server from ever binding it again.

Between drawing a port and listening on it lie seconds. Until its end a process keeps the ports that it has drawn: other
stacks that start meanwhile draw others.
"""

import fcntl
import json
import os
import random
import socket
import tempfile
from pathlib import Path

from relaygram_local_stack.errors import StackError

LOWEST = 15_000
HIGHEST = 32_000
_DRAWS = 200
_reserved: dict[int, int] = {}  # port: the open file whose lock says that it is ours; the lock ends with the process


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether a server could listen on the port now (connections in TIME_WAIT do not matter)."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def reserve(port: int) -> bool:
    """Keep the port for this process; False when another one of this user's keeps it."""
    if port in _reserved:
        return True
    folder = Path(tempfile.gettempdir()) / f"relaygram-ports-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    file = os.open(folder / str(port), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        return False
    _reserved[port] = file
    return True


def free_port(taken: frozenset[int] = frozenset()) -> int:
    """A port that nobody listens on, that is not in ``taken``, and that was not drawn before; it is reserved."""
    draw = random.SystemRandom()
    for _ in range(_DRAWS):
        port = draw.randint(LOWEST, HIGHEST)
        if port not in taken and port not in _reserved and reserve(port) and is_free(port):
            return port
    raise StackError(f"found no free port between {LOWEST} and {HIGHEST} on 127.0.0.1")


class PortBook:
    """The ports of a data folder by name: drawn once, kept in a file, drawn again only when taken."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._ports: dict[str, int] = {}
        if path.exists():
            try:
                self._ports = {str(name): int(port) for name, port in json.loads(path.read_text()).items()}
            except (ValueError, AttributeError) as error:
                raise StackError(f"{path} is not readable as a list of ports; remove it to draw new ones") from error
        self._given: set[int] = set()

    def take(self, name: str, wanted: int | None = None) -> int:
        """The port for ``name``: the wanted one or an error; else the kept one when free, else a new one."""
        if wanted is not None:
            if wanted in self._given or not is_free(wanted):
                raise StackError(f"port {wanted} for {name} is taken; give another one or stop what listens there")
            port = wanted
        else:
            kept = self._ports.get(name)
            if kept is not None and kept not in self._given and reserve(kept) and is_free(kept):
                port = kept
            else:
                port = free_port(frozenset(self._given | set(self._ports.values())))
        self._given.add(port)
        self._ports[name] = port
        return port

    def save(self) -> None:
        """Write the book so that a reader sees the old one or the new one, never half of it."""
        fresh = self._path.with_suffix(".new")
        fresh.write_text(json.dumps(self._ports, indent=2, sort_keys=True) + "\n")
        os.replace(fresh, self._path)
