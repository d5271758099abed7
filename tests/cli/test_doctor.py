"""`relaygram doctor` on an installation that is well, and on one that is broken in each way that can be made here."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import asyncpg
import nats
import pytest

from relaygram_cli.doctor.checks import CHECKS, examine
from relaygram_cli.doctor.findings import Check, Finding, Installation
from relaygram_cli.saved_login import Login
from relaygram_common.security.sealing import new_key
from relaygram_local_stack.servers import NatsServer
from tests.api.served import Process, served_api
from tests.cli.conftest import Relaygram
from tests.support.servers import Database

NOWHERE = "127.0.0.1:1"


@pytest.fixture(scope="module")
async def process(database: Database, provisioned_nats: NatsServer) -> AsyncIterator[Process]:
    """An api process: it has a health page."""
    async with served_api(database, provisioned_nats.url) as running:
        yield running


@pytest.fixture
def installed(
    logged_in: Relaygram,
    process: Process,
    database: Database,
    provisioned_nats: NatsServer,
    monkeypatch: pytest.MonkeyPatch,
) -> Relaygram:
    """The command in the environment of a service."""
    monkeypatch.setenv("RELAYGRAM_POSTGRES_DSN", database.dsn)
    monkeypatch.setenv("RELAYGRAM_NATS_URL", provisioned_nats.url)
    monkeypatch.setenv("RELAYGRAM_SECRET_KEYS", new_key("k1"))
    return logged_in


async def findings(relaygram: Relaygram, *words: str) -> dict[str, Any]:
    done = await relaygram("doctor", "--json", *words)
    found = {one["check"]: one for one in json.loads(done.out)}
    assert done.status == (1 if any(one["status"] == "wrong" for one in found.values()) else 0)
    return found


async def wrong(relaygram: Relaygram, *words: str) -> dict[str, Any]:
    """Only what is wrong; everything wrong says how to mend it."""
    found = {name: one for name, one in (await findings(relaygram, *words)).items() if one["status"] == "wrong"}
    assert all(one["mend"] for one in found.values())
    return found


async def test_an_installation_that_is_well(installed: Relaygram, process: Process) -> None:
    found = await findings(installed, "--health", f"api=http://127.0.0.1:{process.health_port}")
    assert [(name, one["status"]) for name, one in found.items()] == [(check.name, "ok") for check in CHECKS]
    assert found["services"]["said"] == "api: ready"


async def test_a_person_reads_a_line_for_each_check(installed: Relaygram, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RELAYGRAM_SECRET_KEYS", "k1:short")
    done = await installed("doctor")
    assert done.status == 1
    assert len(done.out.splitlines()) == len(CHECKS) + 1
    assert "What to do: make one: echo" in done.out
    assert done.err == "\n1 of 15 checks found something wrong.\n"


@pytest.mark.parametrize(
    ("variable", "value", "check"),
    [
        ("RELAYGRAM_HEALTH_PORT", "many", "settings"),
        ("RELAYGRAM_SECRET_KEYS", "", "secret keys"),
        ("RELAYGRAM_SECRET_KEYS", "k1:c2hvcnQ=", "secret keys"),
        ("RELAYGRAM_POSTGRES_DSN", f"postgresql://x@{NOWHERE}/x", "PostgreSQL"),
        ("RELAYGRAM_POSTGRES_DSN", "nonsense", "PostgreSQL"),
        ("RELAYGRAM_NATS_URL", f"nats://{NOWHERE}", "NATS"),
        ("RELAYGRAM_API_TOKEN", "1|wrong", "API"),
        ("RELAYGRAM_API_URL", f"http://{NOWHERE}", "API"),
        ("RELAYGRAM_API_URL", "nonsense", "API"),
    ],
)
async def test_what_is_wrong_is_found_alone(
    installed: Relaygram, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, check: str
) -> None:
    monkeypatch.setenv(variable, value)
    assert list(await wrong(installed)) == [check]


async def test_a_database_that_is_empty_or_behind(
    installed: Relaygram, fresh_database: Callable[[], Database], database: Database
) -> None:
    empty = await wrong(installed, "--dsn", database.server.dsn("postgres"))
    assert [(name, one["mend"]) for name, one in empty.items()] == [("migrations", "run: relaygram migrate")]
    behind = fresh_database()

    connection = await asyncpg.connect(behind.dsn)
    await connection.execute("update public.alembic_version set version_num = '0001_pre_roles'")
    await connection.close()
    found = (await wrong(installed, "--dsn", behind.dsn))["migrations"]
    assert "0001_pre_roles" in found["said"]
    missing = await wrong(installed, "--dsn", database.server.dsn("nowhere"))
    assert "createdb" in missing["PostgreSQL"]["mend"]


async def test_streams_that_are_missing_or_other_than_wanted(installed: Relaygram, tmp_path: Path) -> None:
    with NatsServer(tmp_path / "nats") as server:
        found = (await wrong(installed, "--nats-url", server.url))["streams"]
        assert "SEND_JOBS" in found["said"]
        assert found["mend"] == "run: relaygram provision"
        assert (await installed("provision", "--nats-url", server.url)).status == 0
        assert await wrong(installed, "--nats-url", server.url) == {}
        client = await nats.connect(server.url)
        js = client.jetstream()
        config = (await js.stream_info("CAMPAIGN_COMMANDS")).config
        await js.update_stream(config.evolve(max_age=600))
        await client.close()
        assert "CAMPAIGN_COMMANDS.max_age" in (await wrong(installed, "--nats-url", server.url))["streams"]["said"]


async def test_services_that_do_not_answer_or_are_not_ready(installed: Relaygram, process: Process) -> None:
    found = await wrong(installed, "--health", f"gateway=http://{NOWHERE}", "--health", process.url)
    assert found["services"]["said"].startswith("gateway: ")


async def test_a_ready_file_tells_everything(
    relaygram: Relaygram, process: Process, database: Database, provisioned_nats: NatsServer, tmp_path: Path
) -> None:
    ready = tmp_path / "ready.json"
    health = {"api": f"http://127.0.0.1:{process.health_port}"}
    told = {"api_url": process.url, "token": process.token, "nats_url": provisioned_nats.url, "health": health}
    ready.write_text(json.dumps({**told, "postgres_dsn": database.dsn}))
    found = await findings(relaygram, "--ready-file", str(ready))
    not_ok = {name for name, one in found.items() if one["status"] != "ok"}
    assert not_ok == {"settings", "secret keys"}
    ready.write_text("{}")
    assert (await relaygram("doctor", "--ready-file", ready)).err == (
        f"relaygram: {ready} is not a ready file of relaygram up\n"
    )


async def test_where_nothing_is_set_up_only_what_can_be_told_is_checked(relaygram: Relaygram) -> None:
    found = await findings(relaygram)
    assert {name for name, one in found.items() if one["status"] == "ok"} == {"Python", "disk"}
    assert found["NATS"]["status"] == "not checked"


async def test_a_check_that_hangs_or_breaks_does_not_keep_us_from_the_others() -> None:

    async def hangs(_: Installation) -> str:
        await asyncio.Event().wait()
        return ""

    async def breaks(_: Installation) -> str:
        raise LookupError("oh")

    async def is_well(_: Installation) -> str:
        return "fine"

    checks = [Check("hangs", hangs, seconds=0.01), Check("breaks", breaks), Check("is well", is_well)]
    checks.append(Check("follows", is_well, needs=("breaks",)))
    found: list[Finding] = [finding async for finding in examine(Installation(Login("http://x", None)), checks)]
    assert [finding.status for finding in found] == ["wrong", "wrong", "ok", "not checked"]
