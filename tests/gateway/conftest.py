"""One world for a module, with one gateway unless a test starts its own."""

from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from relaygram_local_stack import ports
from relaygram_local_stack.servers import NatsServer
from tests.gateway.gateways import GatewayProcess, ending_well
from tests.gateway.world import World
from tests.sandbox.support import SandboxProcess
from tests.support.servers import Database


@pytest.fixture(scope="session")
def sandbox_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    """One sandbox for all modules; each begins with nobody in it."""
    sandbox = SandboxProcess(tmp_path_factory.mktemp("sandbox") / "state", "--seed", "7")
    yield sandbox
    if sandbox.is_running:
        sandbox.terminate()


@pytest.fixture(scope="module")
async def world(
    database: Database,
    provisioned_nats: NatsServer,
    sandbox_process: SandboxProcess,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[World]:
    """Servers and a sandbox that forgets random_ids after 5 s."""
    if sandbox_process.is_running:
        await sandbox_process.attach()
    else:
        await sandbox_process.start()
    await sandbox_process.post("/reset")
    await sandbox_process.put("/settings", random_id_memory_seconds=5)
    made = World(database, provisioned_nats, sandbox_process, tmp_path_factory.mktemp("gateway"))
    await made.open()
    yield made
    await made.close()
    await sandbox_process.control.aclose()


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
