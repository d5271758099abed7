"""The relay: publishes what transactions left in control.outbox. Any number may run; order does not matter, since
receivers compare versions. A row goes only after its publication was acknowledged, so a crash repeats it."""

import asyncio
import random
from typing import Any

import asyncpg
import orjson
import structlog
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.errors import KeyNotFoundError, KeyWrongLastSequenceError
from nats.js.kv import KeyValue

from relaygram_common.backoff import backoff_seconds
from relaygram_common.contracts.doorbells import CampaignStateEntry
from relaygram_common.database.pool import TRANSIENT_ERRORS
from relaygram_common.database.statements import Statements
from relaygram_common.jetstream.publisher import Outgoing, PublishError, WindowPublisher
from relaygram_common.tasks import set_or_timeout
from relaygram_common.topology import CAMPAIGN_STATE

log = structlog.get_logger(__name__)
_sql = Statements("relaygram_common")

_BATCH = 200
_TRANSIENT: tuple[type[BaseException], ...] = (*TRANSIENT_ERRORS, PublishError, NatsError)
_TERMINAL = frozenset({"completed", "stopped"})


class OutboxRelay:
    """Relays until cancelled; `wake()` after a commit makes it look at once instead of at its next poll."""

    def __init__(
        self,
        pool: "asyncpg.Pool[asyncpg.Record]",
        client: Client,
        publisher: WindowPublisher,
        *,
        poll_seconds: float = 0.5,
    ) -> None:
        self._pool = pool
        self._client = client
        self._publisher = publisher
        self._poll_seconds = poll_seconds
        self._wanted = asyncio.Event()

    def wake(self) -> None:
        """There may be something to relay."""
        self._wanted.set()

    async def run(self) -> None:
        """Relay for ever, also through outages of NATS and PostgreSQL."""
        failures = 0
        while True:
            self._wanted.clear()
            try:
                relayed = await self._relay_batch()
                failures = 0
            except _TRANSIENT as error:
                failures += 1
                log.warning("outbox.delayed", error=str(error) or type(error).__name__)
                await asyncio.sleep(backoff_seconds(failures, first=0.1, cap=2.0, jitter=random.random()))  # noqa: S311
                continue
            if relayed < _BATCH:
                await self._idle()

    async def _idle(self) -> None:
        await set_or_timeout(self._wanted, self._poll_seconds)

    async def _relay_batch(self) -> int:
        if not self._client.is_connected:
            raise ConnectionError("NATS is away; commands wait in the outbox")
        async with self._pool.acquire() as connection, connection.transaction():
            rows = await connection.fetch(_sql["take_outbox"], _BATCH)
            if not rows:
                return 0
            # Shorter than the role's transaction_timeout, after which PostgreSQL would end the transaction anyway.
            async with asyncio.timeout(4.0):
                await self._put_states(connection, [row for row in rows if row["kind"] == "campaign_state"])
                await self._publisher.publish(
                    [
                        Outgoing(row["subject"], orjson.dumps(row["body"]), row["headers"])
                        for row in rows
                        if row["kind"] == "stream"
                    ]
                )
            await connection.execute(_sql["delete_outbox"], [row["id"] for row in rows])
            return len(rows)

    async def _put_states(self, connection: Any, rows: list[asyncpg.Record]) -> None:
        if not rows:
            return
        bucket = await self._client.jetstream(timeout=2).key_value(CAMPAIGN_STATE)
        keys = {row["body"]["campaign_id"]: row["subject"] for row in rows}
        for campaign in await connection.fetch(_sql["campaign_states_now"], list(keys)):
            key = keys[campaign["id"]]
            if campaign["deleted"] or campaign["state"] in _TERMINAL:
                await bucket.delete(key)
            else:
                entry = CampaignStateEntry(state=campaign["state"], version=campaign["version"], mode=campaign["mode"])
                await _put_newer(bucket, key, entry)


async def _put_newer(bucket: KeyValue, key: str, entry: CampaignStateEntry) -> None:
    """Compare-and-set: a lower version never overwrites a higher one."""
    value = entry.model_dump_json().encode()
    for _ in range(5):
        try:
            current = await bucket.get(key)
        except KeyNotFoundError:
            current = None
        if (
            current is not None
            and current.value
            and CampaignStateEntry.model_validate_json(current.value).version >= entry.version
        ):
            return
        try:
            if current is None:
                await bucket.create(key, value)
            else:
                await bucket.update(key, value, last=current.revision)
        except KeyWrongLastSequenceError:
            continue  # another relay was faster; compare again
        return
    raise PublishError(f"campaign_state {key}: five relays in a row were faster")
