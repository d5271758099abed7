"""Fixtures for every test, described at the top of tests/support/servers.py; and in which order tests are run."""

import gc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from argon2 import PasswordHasher

from relaygram_common.security import passwords
from tests.support.servers import (
    database,
    free_port,
    fresh_database,
    migrated_template,
    mortal_database,
    mortal_postgres,
    nats_server,
    postgres_server,
    provisioned_nats,
)

__all__ = [
    "database",
    "free_port",
    "fresh_database",
    "migrated_template",
    "mortal_database",
    "mortal_postgres",
    "nats_server",
    "postgres_server",
    "provisioned_nats",
]

# Where rich is installed, structlog's own choice draws each traceback with all variables: seconds of CPU for each.
structlog.configure(
    processors=[
        *structlog.get_config()["processors"][:-1],
        structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
    ]
)


@pytest.fixture(scope="session", autouse=True)
def earnest_hasher() -> Iterator[PasswordHasher]:
    """What hashes passwords in earnest, put aside: in this process a hash costs 1 ms instead of 150."""
    earnest = passwords._hasher
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "_hasher", PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))
        yield earnest


# Those that take long first: several workers share the modules, and the last ones should be short.
_ONE_STACK = "tests/whole_line/"
_WITHOUT_IT = ("tests/whole_line/test_poisoned_settings.py",)
_LONG_FIRST = ("whole_line", "local_stack", "gateway", "cli", "client", "dispatcher", "log_writer", "docs", "sandbox")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Sort by folder; within one, the order stays."""

    def place(item: pytest.Item) -> int:
        folder = Path(item.path).relative_to(config.rootpath / "tests").parts[0]
        return _LONG_FIRST.index(folder) if folder in _LONG_FIRST else len(_LONG_FIRST)

    items.sort(key=place)


def pytest_configure() -> None:
    """Hardly anything that collecting makes is garbage: to look for some took a sixth of it."""
    gc.disable()


def pytest_collection_finish() -> None:
    """What is there now stays to the end."""
    gc.freeze()
    gc.enable()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """One worker runs a file, and so one runs all files that share the stack of tests/whole_line, which starts once."""
    if config.getoption("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    def run_together(nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return _ONE_STACK if file.startswith(_ONE_STACK) and file not in _WITHOUT_IT else file

    scheduler = LoadFileScheduling(config, log)
    scheduler._split_scope = run_together
    return scheduler
