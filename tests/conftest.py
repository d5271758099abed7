"""Fixtures for every test; they are described at the top of tests/support/servers.py."""

from tests.support.servers import (
    database,
    free_port,
    fresh_database,
    migrated_template,
    nats_server,
    postgres_server,
    provisioned_nats,
)

__all__ = [
    "database",
    "free_port",
    "fresh_database",
    "migrated_template",
    "nats_server",
    "postgres_server",
    "provisioned_nats",
]
