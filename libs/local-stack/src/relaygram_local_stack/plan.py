"""What will run and where: servers, ports and processes of one stack, decided before anything starts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from relaygram_local_stack.data_folder import DataFolder
from relaygram_local_stack.process import ProcessSpec
from relaygram_local_stack.servers import NatsServer, Postgres
from relaygram_local_stack.services import (
    SANDBOX_CREDENTIALS,
    SERVICES,
    Sandbox,
    instances,
    service_spec,
    shared_environment,
)

DATABASE = "relaygram"


@dataclass(frozen=True)
class StackOptions:
    """What ``relaygram up`` can be told."""

    api_port: int | None = None
    sandbox_control_port: int | None = None
    with_sandbox: bool = True
    #: How many processes of a service, by its name; one where it is not named.
    scale: Mapping[str, int] = field(default_factory=dict)
    #: Variables for every process, over those of our own environment.
    environment: Mapping[str, str] = field(default_factory=dict)
    ready_file: Path | None = None


@dataclass(frozen=True)
class Plan:
    """Addresses that hold as long as the stack runs."""

    nats: NatsServer
    postgres: Postgres
    sandbox: Sandbox | None
    sandbox_state: Path
    #: (process name, service) of every process of a service.
    processes: list[tuple[str, str]]
    api_ports: Mapping[str, int]
    health_ports: Mapping[str, int]
    environment: Mapping[str, str]

    @property
    def api_url(self) -> str:
        """Where the (first) api answers; its paths begin at the root."""
        return f"http://127.0.0.1:{self.api_ports['api']}"

    @property
    def dsn(self) -> str:
        """The database, as its owner."""
        return self.postgres.dsn(DATABASE)

    @property
    def health(self) -> dict[str, str]:
        """Where each process of a service has /livez, /readyz and /metrics."""
        return {name: f"http://127.0.0.1:{port}" for name, port in self.health_ports.items()}

    def servers(self) -> list[ProcessSpec]:
        """What the services need before they start."""
        return [self.nats.spec(), self.postgres.spec()]

    def sandboxes(self) -> list[ProcessSpec]:
        """The sandbox, or nothing."""
        return [] if self.sandbox is None else [self.sandbox.spec(self.sandbox_state, self.environment)]

    def services(self, sandbox_public_key: str | None) -> list[ProcessSpec]:
        """Every process of every service, with addresses of what it talks to."""
        wiring = {"RELAYGRAM_NATS_URL": self.nats.url}
        defaults: Mapping[str, str] = {} if self.sandbox is None else SANDBOX_CREDENTIALS
        if self.sandbox is not None and sandbox_public_key is not None:
            wiring["RELAYGRAM_TELEGRAM_SANDBOX_ADDRESS"] = self.sandbox.address
            wiring["RELAYGRAM_TELEGRAM_SANDBOX_PUBLIC_KEY"] = sandbox_public_key
        specs = []
        for name, service in self.processes:
            _, role = SERVICES[service]
            own = {"RELAYGRAM_POSTGRES_DSN": self.postgres.dsn(DATABASE, role)}
            if name in self.api_ports:
                own["RELAYGRAM_API_PORT"] = str(self.api_ports[name])
            environment = {**defaults, **self.environment, **wiring, **own}
            specs.append(service_spec(name, service, self.health_ports[name], environment))
        return specs


def make_plan(folder: DataFolder, options: StackOptions) -> Plan:
    """Draw the ports (wanted ones first) and place the servers; blocks for some milliseconds."""
    book = folder.ports()
    processes = instances(options.scale)
    api_ports = {"api": book.take("api", options.api_port)}
    control_port = book.take("sandbox control", options.sandbox_control_port) if options.with_sandbox else 0
    for name, service in processes:
        if service == "api" and name not in api_ports:
            api_ports[name] = book.take(name)
    sandbox = Sandbox(book.take("sandbox"), control_port) if options.with_sandbox else None
    nats = NatsServer(folder.nats, book.take("nats"), book.take("nats monitor"))
    health_ports = {name: book.take(f"{name} health") for name, _ in processes}
    book.save()
    return Plan(
        nats=nats,
        postgres=Postgres(folder.postgres),
        sandbox=sandbox,
        sandbox_state=folder.sandbox,
        processes=processes,
        api_ports=api_ports,
        health_ports=health_ports,
        environment=shared_environment(options.environment, folder.secret_keys()),
    )
