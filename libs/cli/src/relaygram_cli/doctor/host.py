"""This machine: Python, disk, settings, keys."""

import os
import shutil
import sys

from relaygram_cli.doctor.findings import Installation, NotChecked, Wrong

_OLDEST_PYTHON = (3, 11)
_LEAST_FREE_BYTES = 1024**3
_NEW_KEY = 'make one: echo "k1:$(openssl rand -base64 32)", the same for api and gateway, and keep it safe'


async def python_version(_: Installation) -> str:
    """Old enough for a stable system, new enough for us."""
    shown = ".".join(str(part) for part in sys.version_info[:3])
    if sys.version_info[:2] < _OLDEST_PYTHON:
        raise Wrong(f"Python {shown}", "install Python 3.11 or newer")
    return f"Python {shown}"


async def disk(installation: Installation) -> str:
    """Room where the installation keeps its files, else here."""
    free = shutil.disk_usage(installation.folder).free
    said = f"{free / 1024**3:.1f} GiB free at {installation.folder.absolute()}"
    if free < _LEAST_FREE_BYTES:
        raise Wrong(said, "free some space: PostgreSQL and JetStream stop when the disk is full")
    return said


async def settings(installation: Installation) -> str:
    """What every service reads from the environment."""
    _demand_environment(installation)
    from pydantic import ValidationError

    from relaygram_common.settings import ServiceSettings

    try:
        if installation.dsn is None:
            ServiceSettings()
        else:
            ServiceSettings(postgres_dsn=installation.dsn)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        variable = "RELAYGRAM_" + "_".join(str(part) for part in problem["loc"]).upper()
        raise Wrong(f"{variable}: {problem['msg']}", "correct the variable; docs/settings.md lists all") from None
    count = sum(name.startswith("RELAYGRAM_") for name in os.environ)
    return f"{count} variables RELAYGRAM_… are understood"


async def secret_keys(installation: Installation) -> str:
    """The keys seal, open again, and are of the right size."""
    _demand_environment(installation)
    from relaygram_common.security.sealing import Sealer

    given = os.environ.get("RELAYGRAM_SECRET_KEYS", "")
    if not given:
        raise Wrong("RELAYGRAM_SECRET_KEYS is not set: api and gateway will not start", _NEW_KEY)
    try:
        sealer = Sealer(given)
        sealer.open(sealer.seal("doctor", owner="doctor"), owner="doctor")
    except ValueError as error:
        raise Wrong(str(error), _NEW_KEY) from None
    keys = [part.partition(":")[0].strip() for part in given.split(",") if part.strip()]
    return f"usable; newest first: {', '.join(keys)}"


def _demand_environment(installation: Installation) -> None:
    if installation.is_local_stack:
        raise NotChecked("relaygram up gives its services their settings and keys by itself")
    if installation.dsn is None and not os.environ.keys() & {"RELAYGRAM_NATS_URL", "RELAYGRAM_SECRET_KEYS"}:
        raise NotChecked("no services seem to be set up here: give --dsn, or run this where the services run")
