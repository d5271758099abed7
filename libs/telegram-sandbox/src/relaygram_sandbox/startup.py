"""What can go wrong before the sandbox runs: the address, the ports, the state folder.

Imports nothing heavy, so that a port that is taken is said at once and not after Telethon has been loaded.
"""

import contextlib
import ipaddress
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from relaygram_sandbox.store import Store, StoreError


class StartError(Exception):
    """The sandbox cannot run; the text says why in one line."""


@dataclass(frozen=True, slots=True)
class Options:
    """The command line."""

    mtproto_port: int
    control_port: int
    state: Path
    host: str = "127.0.0.1"
    seed: int | None = None
    open_world: bool = False


@dataclass(frozen=True, slots=True)
class Resources:
    """What the sandbox holds while it runs; the sockets are bound and do not listen yet."""

    host: str
    clients: socket.socket
    control: socket.socket
    store: Store


def _ip_literal(host: str) -> str:
    with contextlib.suppress(ValueError):
        return str(ipaddress.ip_address(host))
    try:
        return str(socket.getaddrinfo(host, None, socket.AF_INET, socket.SOCK_STREAM)[0][4][0])
    except OSError as error:
        raise StartError(f"--host {host}: {error}") from error


def _listen(host: str, port: int, what: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise StartError(f"the {what} port {port} on {host} cannot be used: {error.strerror}") from error
    listener.setblocking(False)
    return listener


@contextlib.contextmanager
def resources(options: Options) -> Iterator[Resources]:
    """Take everything the sandbox needs, or raise a StartError; give it back at the end."""
    with contextlib.ExitStack() as stack:
        host = _ip_literal(options.host)
        clients = stack.enter_context(_listen(host, options.mtproto_port, "MTProto"))
        control = stack.enter_context(_listen(host, options.control_port, "control"))
        try:
            store = Store(options.state)
        except StoreError as problem:
            raise StartError(str(problem)) from problem
        stack.callback(store.close)
        yield Resources(host, clients, control, store)
