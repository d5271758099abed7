"""One world for a module, with one gateway unless a test starts its own."""

from collections.abc import AsyncIterator, Callable

import pytest

from relaygram_local_stack import ports
from relaygram_local_stack.servers import NatsServer
from tests.gateway.gateways import GatewayProcess, ending_well
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
async def kept_gateway(world: World) -> AsyncIterator[GatewayProcess]:
    """The module's gateway, which the first test that asks for `gateway` starts. A module can give it settings."""
    async with ending_well(world.gateway(ports.free_port())) as made:
        yield made


@pytest.fixture
async def gateway(kept_gateway: GatewayProcess) -> GatewayProcess:
    """A running gateway: the module's, since to start one takes longer than most tests. A test may stop and kill it."""
    if not kept_gateway.is_running:
        await kept_gateway.start()
    return kept_gateway


@pytest.fixture
async def own_gateway(
    world: World, kept_gateway: GatewayProcess, free_port: Callable[[], int], request: pytest.FixtureRequest
) -> AsyncIterator[Callable[..., GatewayProcess]]:
    """A function that gives one more gateway, stopped after the test. Alone, unless it wants `gateway` too."""
    if "gateway" not in request.fixturenames and kept_gateway.is_running:
        await kept_gateway.stop()
    made: list[GatewayProcess] = []

    def make(**settings: object) -> GatewayProcess:
        made.append(world.gateway(free_port(), **settings))
        return made[-1]

    yield make
    for one in made:
        if one.is_running:
            await one.stop()
