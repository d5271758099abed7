"""One world for a module, with one gateway unless a test starts its own."""

from collections.abc import AsyncIterator, Callable

import pytest

from relaygram_local_stack.servers import NatsServer
from tests.gateway.gateways import GatewayProcess
from tests.gateway.world import World
from tests.sandbox.support import SandboxProcess
from tests.support.servers import Database


@pytest.fixture(scope="module")
async def world(
    database: Database, provisioned_nats: NatsServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[World]:
    """Servers and a sandbox that forgets random_ids after 5 s."""
    folder = tmp_path_factory.mktemp("gateway")
    sandbox = SandboxProcess(folder / "state", "--seed", "7")
    await sandbox.start()
    await sandbox.put("/settings", random_id_memory_seconds=5)
    made = World(database, provisioned_nats, sandbox, folder)
    await made.open()
    yield made
    await made.close()
    await sandbox.stop()


@pytest.fixture(scope="module")
async def gateway(world: World) -> AsyncIterator[GatewayProcess]:
    """A running gateway."""
    from relaygram_local_stack import ports

    made = world.gateway(ports.free_port())
    await made.start()
    yield made
    status = await made.stop()
    assert status == 0, made.log_text()
    assert "Traceback" not in made.log_text(), made.log_text()


@pytest.fixture
async def own_gateway(world: World, free_port: Callable[[], int]) -> AsyncIterator[Callable[..., GatewayProcess]]:
    """A function that gives one more gateway, stopped after the test."""
    made: list[GatewayProcess] = []

    def make(**settings: object) -> GatewayProcess:
        made.append(world.gateway(free_port(), **settings))
        return made[-1]

    yield make
    for one in made:
        if one.process is not None and one.process.poll() is None:
            await one.stop()
