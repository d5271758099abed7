"""The table of checks, and running them one after another."""

import asyncio
from collections.abc import AsyncIterator, Sequence

from relaygram_cli.doctor import host, nats_server, postgres, services
from relaygram_cli.doctor.findings import Check, Finding, Installation, NotChecked, Wrong

_POSTGRES, _NATS, _JETSTREAM = "PostgreSQL", "NATS", "JetStream"
CHECKS: tuple[Check, ...] = (
    Check("Python", host.python_version),
    Check("disk", host.disk),
    Check("settings", host.settings),
    Check("secret keys", host.secret_keys),
    Check(_POSTGRES, postgres.answers),
    Check("PostgreSQL's version", postgres.version, needs=(_POSTGRES,)),
    Check("migrations", postgres.migrations, needs=(_POSTGRES,), seconds=20.0),
    Check("roles", postgres.roles, needs=(_POSTGRES,)),
    Check("clock", postgres.clock, needs=(_POSTGRES,)),
    Check(_NATS, nats_server.answers),
    Check("NATS's version", nats_server.version, needs=(_NATS,)),
    Check(_JETSTREAM, nats_server.jetstream, needs=(_NATS,)),
    Check("streams", nats_server.streams, needs=(_JETSTREAM,), seconds=20.0),
    Check("services", services.services),
    Check("API", services.api),
)


async def examine(installation: Installation, checks: Sequence[Check] = CHECKS) -> AsyncIterator[Finding]:
    """Each finding as soon as it is there."""
    found: dict[str, Finding] = {}
    for check in checks:
        not_ok = [name for name in check.needs if found[name].status != "ok"]
        if not_ok:
            finding = Finding(check.name, "not checked", f"first {not_ok[0]} must be well")
        else:
            finding = await _checked(check, installation)
        found[check.name] = finding
        yield finding


async def _checked(check: Check, installation: Installation) -> Finding:
    try:
        async with asyncio.timeout(check.seconds):
            return Finding(check.name, "ok", await check.run(installation))
    except NotChecked as reason:
        return Finding(check.name, "not checked", str(reason))
    except Wrong as wrong:
        return Finding(check.name, "wrong", str(wrong), wrong.mend)
    except TimeoutError:
        return Finding(check.name, "wrong", f"no answer within {check.seconds:.0f} s", "see whether it is overloaded")
    except Exception as error:  # noqa: BLE001 - a check that fails must not keep us from the others
        said = f"{type(error).__name__}: {error}"
        return Finding(check.name, "wrong", said, "this is not expected: please report it")
