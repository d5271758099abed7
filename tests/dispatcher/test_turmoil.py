"""Two campaigns, dispatchers that are killed and frozen, people who change everything meanwhile: in the end
all adds up. Another seed: RELAYGRAM_TEST_SEED."""

import asyncio
import json
import os
import random
import signal
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from relaygram_common.topology import SEND_JOBS
from relaygram_local_stack.servers import NatsServer
from tests.dispatcher.line import Outside, gateway
from tests.dispatcher.test_killed import process
from tests.support.servers import Database

_SEED = int(os.environ.get("RELAYGRAM_TEST_SEED", "7"))
_PEOPLE, _SECONDS = 250, 12.0

pytestmark = [pytest.mark.faults, pytest.mark.timeout(150)]


class Turmoil:
    """What may happen to a sequence and a plain broadcast, by a seed."""

    def __init__(self, line: Outside, sequence: int, plain: int, chance: random.Random) -> None:
        self._line, self._sequence, self._both, self._chance = line, sequence, (sequence, plain), chance
        self._quiet = False
        self._identities = iter(range(100, 10_000))
        self._acts: list[Callable[[], Awaitable[Any]]] = [
            self._edit, self._pause, self._night, self._defer, self._lose, self._add, self._reply,
        ]  # fmt: skip

    async def run(self) -> None:
        """For a while, and then all is well again."""
        end = asyncio.get_running_loop().time() + _SECONDS
        while asyncio.get_running_loop().time() < end:
            await asyncio.sleep(self._chance.uniform(0.1, 0.7))
            await self._chance.choice(self._acts)()
        await self._set_quiet(None)
        await self._line.transition(self._sequence, "start")

    def step(self, body: str, identity: int | None = None) -> dict[str, Any]:
        """With any delay, and perhaps a follow-up."""
        hours = self._chance.choice([0, 1 / 3600])
        return {
            "body": body,
            "identity": next(self._identities) if identity is None else identity,
            "delay_seconds": self._chance.choice([0, 0, 1]),
            "followups": [{"after_hours": hours, "body": "?"}] if self._chance.random() < 0.4 else [],
        }

    async def _edit(self) -> None:
        rows = await self._line.pool.fetch(
            "select identity, body from control.steps where campaign_id = $1 order by position", self._sequence
        )
        steps = [self.step(row["body"], row["identity"]) for row in rows]
        match self._chance.randrange(3):
            case 0 if len(steps) > 1:
                steps.pop(self._chance.randrange(len(steps)))
            case 1:
                steps.insert(self._chance.randrange(len(steps) + 1), self.step("new"))
            case _:
                self._chance.shuffle(steps)
        await self._line.put_steps(self._sequence, steps)

    async def _pause(self) -> None:
        await self._line.transition(self._sequence, "pause")
        await asyncio.sleep(0.3)
        await self._line.transition(self._sequence, "start")

    async def _night(self) -> None:
        self._quiet = not self._quiet
        around = [(datetime.now(UTC) + timedelta(hours=hours)).strftime("%H:%M") for hours in (-1, 1)]
        await self._set_quiet(json.dumps({"start": around[0], "end": around[1]}) if self._quiet else None)

    async def _set_quiet(self, quiet: str | None) -> None:
        await self._line.pool.execute(
            "update control.campaigns set quiet_hours = $2, version = version + 1 where id = any ($1)",
            self._both,
            quiet,
        )

    async def _defer(self) -> None:
        """As admissions do it that meet quiet hours."""
        await self._line.pool.fetch(
            "select dispatch.defer(array_agg(m.job_id), array_agg(m.campaign_id), array_agg(m.account_id),"
            " array_agg(m.sender_id), array_agg(now() + interval '1 s')) from (select * from delivery.messages"
            " where campaign_id = any ($1) and status = 'pending' and trigger = 'broadcast' limit 5) m"
            " having count(*) > 0",
            self._both,
        )

    async def _lose(self) -> None:
        await self._line.client.jetstream().purge_stream(SEND_JOBS)

    async def _add(self) -> None:
        if await self._line.status(self._sequence) == "running":
            await self._line.add_contacts(self._sequence, 5)

    async def _reply(self) -> None:
        """As the decision of what people wrote leaves it: enrollments first."""
        async with self._line.pool.acquire() as connection, connection.transaction():
            ended = await connection.fetch(
                "update dispatch.enrollments set replied_at = now() where campaign_id = $1 and contact_id in"
                " (select sender_id from delivery.messages where campaign_id = $1 and status = 'sent' limit 3)"
                " returning contact_id",
                self._sequence,
            )
            await connection.execute(
                "delete from dispatch.due where campaign_id = $1 and contact_id = any ($2) and not counted"
                " and follows_at is not null",
                self._sequence, [row["contact_id"] for row in ended],
            )  # fmt: skip


async def _dispatchers(nats_url: str, dsn: str, log: Path, chance: random.Random) -> None:
    """Always two, of which one is frozen for a while; then both are killed."""
    for number in range(10_000):
        async with (
            process(nats_url, dsn, log, f"one{number % 2}") as frozen,
            process(nats_url, dsn, log, f"two{number % 2}"),
        ):
            await asyncio.sleep(chance.uniform(1.0, 2.5))
            frozen.send_signal(signal.SIGSTOP)
            await asyncio.sleep(chance.uniform(0.2, 2.0))
            frozen.send_signal(signal.SIGCONT)
            await asyncio.sleep(chance.choice([0.0, 0.2]))


async def test_whatever_happens_everybody_gets_a_message_and_all_adds_up(
    quiet_line: Outside, provisioned_nats: NatsServer, database: Database, tmp_path: Path
) -> None:
    line, chance = quiet_line, random.Random(_SEED)  # noqa: S311 - what happens is no secret
    nats_url, dsn, log = provisioned_nats.url, database.dispatcher, tmp_path / "log"
    sequence, plain = await line.campaign(_PEOPLE, start=False), await line.campaign(_PEOPLE)
    turmoil = Turmoil(line, sequence, plain, chance)
    await line.put_steps(sequence, [turmoil.step("a", 0), turmoil.step("b"), turmoil.step("c")])
    await line.transition(sequence, "start")
    async with gateway(line, sequence), gateway(line, plain):
        dispatchers = asyncio.create_task(_dispatchers(nats_url, dsn, log, chance))
        await turmoil.run()
        dispatchers.cancel()
        await asyncio.wait([dispatchers])
        async with process(nats_url, dsn, log, "last"):
            for campaign_id in (sequence, plain):
                await line.becomes(campaign_id, "completed", timeout=60.0)
                kinds = [event["kind"] for event in await line.campaign_events(campaign_id)]
                assert kinds.count("completed") == 1
    for campaign_id in (sequence, plain):
        pending, sent, failed = await line.counters(campaign_id)
        rows = await line.rows(campaign_id)
        assert (pending, sent + failed) == (0, len(rows))
        assert (await line.run(campaign_id))["jobs_made"] == len(rows)
        people = await line.pool.fetch("select id from control.contacts where campaign_id = $1", campaign_id)
        assert {row["id"] for row in people} == {row["sender_id"] for row in rows}
