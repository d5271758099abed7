"""Fixtures for every test, described at the top of tests/support/servers.py; and in which order tests are run."""

from pathlib import Path

import pytest

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

# Those that take long first: several workers share the modules, and the last ones should be short.
_LONG_FIRST = ("whole_line", "local_stack", "gateway", "cli", "client", "dispatcher", "log_writer", "docs", "sandbox")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Sort by folder; within one, the order stays."""

    def place(item: pytest.Item) -> int:
        folder = Path(item.path).relative_to(config.rootpath / "tests").parts[0]
        return _LONG_FIRST.index(folder) if folder in _LONG_FIRST else len(_LONG_FIRST)

    items.sort(key=place)
