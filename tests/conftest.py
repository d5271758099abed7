"""Fixtures for every test, described at the top of tests/support/servers.py; and in which order tests are run."""

import gc
import itertools
from collections.abc import Iterator
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
    earnest, cheap = passwords._hasher, PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "_hasher", cheap)
        patch.setattr(passwords, "NOBODY", cheap.hash("nobody has this password"))
        yield earnest


# Those that take long first: several workers share the files, and the last ones should be short.
_LONG_FIRST = (
    "whole_line", "gateway/test_waits.py", "gateway/test_missed_updates.py", "gateway/test_account_life.py",
    "gateway/test_limits.py", "gateway/test_outcomes.py", "gateway/test_media.py", "sandbox/test_catching_up.py",
    "local_stack/test_up.py", "cli/test_journey.py", "docs/test_quickstart.py", "examples",
    "api/test_login_limits.py", "api/test_outages.py", "api/test_log_export_outages.py",
    "api/test_send_logs_wire.py", "api/test_log_export_wire.py",
    "gateway", "local_stack", "sandbox", "cli", "client", "dispatcher", "log_writer",
)  # fmt: skip
# These mostly wait; two files of the others follow on each, so that the processors have something to do.
_WAITING = ("whole_line", "gateway", "sandbox", "local_stack")
_OWN_PROCESSES_ONLY = "whole_line/test_poisoned_settings.py"


def _unit(nodeid: str) -> str:
    """What one worker runs: a file; but all files that share the stack of tests/whole_line, which so starts once."""
    file = nodeid.partition("::")[0].removeprefix("tests/")
    return "whole_line" if file.startswith("whole_line/") and file != _OWN_PROCESSES_ONLY else file


def _place(unit: str) -> int:
    for name in (unit, unit.partition("/")[0]):
        if name in _LONG_FIRST:
            return _LONG_FIRST.index(name)
    return len(_LONG_FIRST)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the units in order; within one, the order stays."""
    units: dict[str, list[pytest.Item]] = {}
    for item in items:
        units.setdefault(_unit(item.nodeid), []).append(item)
    in_order = sorted(units, key=_place)
    waiting = [unit for unit in in_order if unit.partition("/")[0] in _WAITING]
    others = iter([unit for unit in in_order if unit not in waiting])
    mixed = [unit for one in waiting for unit in (one, *itertools.islice(others, 2))]
    items[:] = [item for unit in (*mixed, *others) for item in units[unit]]


def pytest_configure() -> None:
    """Hardly anything that collecting makes is garbage: to look for some took a sixth of it."""
    gc.disable()


def pytest_collection_finish() -> None:
    """What is there now stays to the end."""
    gc.freeze()
    gc.enable()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Let the workers share units rather than files."""
    if config.getoption("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    scheduler = LoadFileScheduling(config, log)
    scheduler._split_scope = _unit
    return scheduler
