"""Clients that follow a campaign's log over HTTP, each in its own way, and remember what they were told."""

import asyncio
import json
import random
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import httpx

_IDLE_SECONDS = 0.05
# The parameter, and what of the last row it takes.
_FIELDS = {"since_id": "id", "since": "created_at", "changed_since": "revision"}


class Reader(ABC):
    """Follows one log from its beginning, in pages or pieces of random size."""

    def __init__(self, client: httpx.AsyncClient, campaign_id: int, chance: random.Random) -> None:
        self._client = client
        self._path = f"/api/v1/campaigns/{campaign_id}/logs"
        self._chance = chance
        self.told: list[dict[str, Any]] = []

    @abstractmethod
    async def run(self) -> None:
        """Follow until cancelled."""

    def last(self, field: str, first: Any = None) -> Any:
        """Of the last row it was told."""
        return self.told[-1][field] if self.told else first

    def newest(self) -> dict[int, int]:
        """The last revision of each row it was told."""
        return {row["id"]: row["revision"] for row in self.told}


class Poller(Reader):
    """Asks for what is after the last row: `since_id`, `since` or `changed_since`."""

    def __init__(self, parameter: str, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._parameter = parameter

    async def run(self) -> None:
        """One page after the other."""
        while True:
            after = self.last(_FIELDS[self._parameter], "2001-01-01" if self._parameter == "since" else 0)
            params = {self._parameter: after, "per_page": self._chance.randint(1, 200)}
            answer = await self._client.get(self._path, params=params)
            rows = answer.raise_for_status().json()["data"]
            self.told += rows
            if not rows:
                await asyncio.sleep(_IDLE_SECONDS)


class Watcher(Reader):
    """Follows the stream, breaks off after a random number of rows and comes back with the last id."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.connections = 0

    async def run(self) -> None:
        """One connection after the other."""
        while True:
            self.connections += 1
            enough = len(self.told) + self._chance.choice([1, 5, 100, 1000])
            async with aclosing(self._rows()) as rows:
                async for row in rows:
                    self.told.append(row)
                    if len(self.told) >= enough:
                        break

    async def _rows(self) -> AsyncGenerator[dict[str, Any], None]:
        headers = {"Last-Event-ID": str(self.last("revision", 0))}
        number = ""
        async with self._client.stream("GET", f"{self._path}/stream", headers=headers) as answer:
            answer.raise_for_status()
            async for line in answer.aiter_lines():
                name, _, value = line.partition(": ")
                if name == "id":
                    number = value
                elif name == "data":
                    row = json.loads(value)
                    assert str(row["revision"]) == number
                    yield row
