"""Wiring: store, world, MTProto server and control plane, their start and their end."""

import asyncio
import contextlib
import gc
import logging
import signal
import sqlite3
import sys
from collections.abc import Iterator

import uvicorn

from relaygram_sandbox.control.access import Sandbox
from relaygram_sandbox.control.app import build_control
from relaygram_sandbox.dispatch import Dispatcher
from relaygram_sandbox.faults import FaultBook
from relaygram_sandbox.protocol.crypto import ServerKey
from relaygram_sandbox.protocol.keys import KeyRing
from relaygram_sandbox.protocol.outbox import Outbox
from relaygram_sandbox.protocol.server import MTProtoServer
from relaygram_sandbox.startup import Options, Resources, StartError
from relaygram_sandbox.store import Store
from relaygram_sandbox.telegram import Telegram
from relaygram_sandbox.wire import WireLog
from relaygram_sandbox.world.world import World

log = logging.getLogger("relaygram_sandbox")
_BACKLOG = 4096
_STOP_SECONDS = 3
_SWEEP_SECONDS = 60


class ControlServer(uvicorn.Server):
    """uvicorn on our loop; signals are ours, or it would end the process with the signal's status."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone."""
        yield


class Running:
    """Why and how the process ends."""

    def __init__(self) -> None:
        self.ended = asyncio.Event()
        self.status = 0

    def stop(self) -> None:
        """Asked to end."""
        self.ended.set()

    def fail(self, error: Exception) -> None:
        """The store failed: answer nobody any more and end."""
        log.error("the record cannot be written, stopping: %s", error)
        self.status = 1
        self.ended.set()


def _server_key(store: Store) -> ServerKey:
    pem = store.get_meta("server_key_pem")
    if pem is None:
        pem = ServerKey.generate_pem()
        store.set_meta("server_key_pem", pem)
    return ServerKey(pem)


def _build(options: Options, resources: Resources, running: Running) -> Sandbox:
    store = resources.store
    world = World(store, options.seed, options.open_world)
    server = MTProtoServer(_server_key(store), KeyRing(store), Outbox(store, running.fail))
    telegram = Telegram(world, server.keys, server, FaultBook(store))
    wire = WireLog(store, world)
    server.handle = Dispatcher(telegram, wire).handle
    store.commit()
    return Sandbox(telegram, wire, resources.host, resources.clients.getsockname()[1])


async def _sweep(server: MTProtoServer) -> None:
    while True:
        await asyncio.sleep(_SWEEP_SECONDS)
        server.cut_silent_connections()


async def run(options: Options, resources: Resources) -> int:
    """Serve until a signal; the exit status."""
    running = Running()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, running.stop)
    try:
        sandbox = _build(options, resources, running)
    except (sqlite3.Error, LookupError, ValueError) as error:
        raise StartError(f"the state folder {options.state} cannot be read: {error}") from error
    gc.collect()
    gc.freeze()  # the loaded world lives as long as the process
    await _serve(sandbox, running, resources)
    return running.status


async def _serve(sandbox: Sandbox, running: Running, resources: Resources) -> None:
    loop = asyncio.get_running_loop()
    telegram, control = sandbox.telegram, resources.control
    mtproto = await loop.create_server(telegram.server.accept_connection, sock=resources.clients, backlog=_BACKLOG)
    telegram.intentions.start()
    config = uvicorn.Config(
        build_control(sandbox),
        log_config=None,
        log_level="warning",
        lifespan="off",
        access_log=False,
        timeout_graceful_shutdown=1,
    )
    control_server = ControlServer(config)
    control.listen(_BACKLOG)  # whoever reads the line below may connect at once
    serving = asyncio.create_task(control_server.serve(sockets=[control]))
    sweeping = asyncio.create_task(_sweep(telegram.server))
    host = f"[{sandbox.host}]" if ":" in sandbox.host else sandbox.host
    sys.stdout.write(
        f"relaygram-sandbox: MTProto on {host}:{sandbox.mtproto_port},"
        f" control on http://{host}:{control.getsockname()[1]}\n"
    )
    sys.stdout.flush()
    ended = asyncio.create_task(running.ended.wait())
    await asyncio.wait((ended, serving), return_when=asyncio.FIRST_COMPLETED)
    mtproto.close()
    if running.status == 0:
        telegram.server.outbox.flush()
    for connection in list(telegram.server.connections):
        connection.cut()
    telegram.intentions.clear()
    sweeping.cancel()
    control_server.should_exit = True
    await asyncio.wait((serving,), timeout=_STOP_SECONDS)
