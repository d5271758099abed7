"""A client of live streams as the specification of EventSource has it, and rows for it to see."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
import httpx

from relaygram_common.contracts.doorbells import LogChanged
from tests.api.log_rows import row, write_rows
from tests.api.served import Process
from tests.support.local_http import local_client
from tests.support.servers import Database


@dataclass
class EventSource:
    """An open stream."""

    answer: httpx.Response
    lines: AsyncIterator[str]
    last_event_id: str = ""
    retry: int | None = None

    async def event(self) -> dict[str, Any] | None:
        """The next row; None when the stream has ended."""
        data = ""
        async for line in self.lines:
            name, _, value = line.partition(": ")
            match name:
                case "data":
                    data += value
                case "id":
                    self.last_event_id = value
                case "retry":
                    self.retry = int(value)
            if not line and data:
                found: dict[str, Any] = json.loads(data)
                assert str(found["revision"]) == self.last_event_id
                return found
        return None

    async def events(self, number: int) -> list[dict[str, Any]]:
        """So many rows."""
        found = [await self.event() for _ in range(number)]
        assert None not in found, found
        return [one for one in found if one is not None]

    async def bodies(self, number: int) -> list[str]:
        """The texts of so many rows."""
        return [one["body"] for one in await self.events(number)]


async def heartbeat(stream: EventSource) -> None:
    """Read up to the next heartbeat."""
    async for line in stream.lines:
        name, _, value = line.partition(": ")
        if name == "retry":
            stream.retry = int(value)
        if name == "id":
            stream.last_event_id = value
        if line == ": heartbeat":
            return
    raise AssertionError("the stream has ended")


@asynccontextmanager
async def opened(client: httpx.AsyncClient, campaign_id: int, **arguments: Any) -> AsyncIterator[EventSource]:
    """A stream that has begun."""
    async with client.stream("GET", f"/campaigns/{campaign_id}/logs/stream", **arguments) as answer:
        if answer.status_code != 200:
            await answer.aread()
        assert answer.status_code == 200, answer.text
        yield EventSource(answer, answer.aiter_lines())


def calling(process: Process, token: str | None = None) -> httpx.AsyncClient:
    """A client of this process, which waits for the next line as long as a test may take."""
    headers = {"Authorization": f"Bearer {token or process.token}"}
    return local_client(base_url=f"{process.url}/api/v1", headers=headers, timeout=60)


async def execute(database: Database, statement: str, *arguments: Any) -> None:
    """As the superuser."""
    connection = await asyncpg.connect(database.dsn)
    try:
        await connection.execute(statement, *arguments)
    finally:
        await connection.close()


async def metric(process: Process, name: str) -> float:
    """What the process says of this at the moment; 0 before it has said anything."""
    async with local_client() as client:
        lines = (await client.get(f"http://127.0.0.1:{process.health_port}/metrics")).text.splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))


async def make_campaign(client: httpx.AsyncClient) -> int:
    """A draft."""
    account = {"kind": "user", "phone": "+4915112345678"}
    made = (await client.post("/telegram-accounts", json=account)).raise_for_status().json()["data"]["id"]
    body = {"name": "Launch", "mode": "broadcast", "body": "x", "telegram_account_id": made}
    campaign: int = (await client.post("/campaigns", json=body)).raise_for_status().json()["data"]["id"]
    return campaign


@dataclass
class Log:
    """The log of a campaign, written as the log-writer does."""

    database: Database
    workspace_id: int
    campaign_id: int
    nats: Any = None

    async def write(self, *bodies: str, state: str = "sent", **fields: Any) -> list[dict[str, Any]]:
        """A row each, in one batch; rung for when there is a bell to ring."""
        rows = [row(self.campaign_id, state, body=body, **fields) for body in bodies]
        await self.write_rows(rows)
        return rows

    async def write_rows(self, rows: list[dict[str, Any]]) -> None:
        """These events, in one batch."""
        await write_rows(self.database, self.workspace_id, rows)
        if self.nats is not None:
            bell = LogChanged(campaign_id=self.campaign_id, revision=1)
            await self.nats.publish(bell.subject, bell.model_dump_json().encode())
            await self.nats.flush()
