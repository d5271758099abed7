"""A dispatcher and a log-writer in this process; the test plays the api (SQL) and the gateway (events)."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import asyncpg
import nats
from nats.aio.client import Client
from nats.js.errors import NotFoundError

from relaygram_common.contracts.delivery import DeliveryError, delivery_event
from relaygram_common.contracts.jobs import SendJob
from relaygram_common.contracts.states import MessageState
from relaygram_common.jetstream.publisher import Outgoing, WindowPublisher
from relaygram_common.jetstream.pull import PullSubscription
from relaygram_common.runner import Runtime
from relaygram_common.topology import CAMPAIGN_EVENTS, SEND_JOBS, job_consumer, job_consumer_name
from relaygram_dispatcher.app import build
from relaygram_dispatcher.settings import DispatcherSettings
from relaygram_log_writer.app import build as build_log_writer
from relaygram_log_writer.settings import LogWriterSettings
from tests.support.waiting import eventually

LIMITS = {
    "messages_per_second": None,
    "messages_per_hour": None,
    "messages_per_day": None,
    "warm_up": False,
    "resolves_per_minute": 20,
}
_INSERT_CONTACTS = """
insert into control.contacts (workspace_id, campaign_id, handle, first_name, columns)
select $1, $2::bigint, format('user%s_%s', $2::bigint, nextval('control.contacts_id_seq')), 'Ann' || n,
       '{"city": "Oslo"}'
  from generate_series(1, $3::int) n"""
_names = itertools.count(1)


@asynccontextmanager
async def dispatcher(nats_url: str, dsn: str, *, instance: str = "one", **changed: Any) -> AsyncIterator[Runtime]:
    """The service without its process, impatient."""
    values: dict[str, Any] = {"run_poll_seconds": 0.1, "reconcile_after_seconds": 0.6, "sweep_seconds": 0.3, **changed}
    settings = DispatcherSettings(
        nats_url=nats_url, postgres_dsn=dsn, instance=instance, postgres_pool_size=4, **values
    )
    runtime = Runtime()
    async with build(settings, runtime):
        yield runtime
    await runtime.cancel_tasks()
    assert runtime.failure is None


@asynccontextmanager
async def log_writer(nats_url: str, dsn: str) -> AsyncIterator[None]:
    """The other half of the line: without a log nothing completes."""
    runtime = Runtime()
    async with build_log_writer(LogWriterSettings(nats_url=nats_url, postgres_dsn=dsn), runtime):
        yield
    await runtime.cancel_tasks()
    assert runtime.failure is None


@dataclass
class Outside:
    """Everything around the dispatcher."""

    client: Client
    publisher: WindowPublisher
    pool: "asyncpg.Pool[asyncpg.Record]"  # as superuser
    workspace_id: int
    account_id: int

    async def campaign(
        self,
        contacts: int,
        *,
        body: str = "Hello {{first_name|friend}}",
        start: bool = True,
        steps: Sequence[Mapping[str, Any]] = (),
        **columns: Any,
    ) -> int:
        """A broadcast with people, as the api makes it; `columns`: others of the campaign's row."""
        campaign_id: int = await self.pool.fetchval(
            "insert into control.campaigns (workspace_id, name, mode, body, telegram_account_id, reference)"
            " values ($1, $2, 'broadcast', $3, $4, 'spring') returning id",
            self.workspace_id,
            f"campaign {next(_names)}",
            body,
            self.account_id,
        )
        for column, value in columns.items():
            await self.pool.execute(f"update control.campaigns set {column} = $2 where id = $1", campaign_id, value)  # noqa: S608 - a test's own words
        if steps:
            await self.put_steps(campaign_id, steps)
        if contacts:
            await self.add_contacts(campaign_id, contacts)
        if start:
            await self.transition(campaign_id, "start")
        return campaign_id

    async def put_steps(self, campaign_id: int, steps: Sequence[Mapping[str, Any]]) -> None:
        """Replaces the list, as the api does: a step that bears its `identity` keeps it, the first one has 0."""
        async with self.pool.acquire() as connection, connection.transaction():
            await connection.execute("update control.campaigns set version = version + 1 where id = $1", campaign_id)
            await connection.execute("delete from control.steps where campaign_id = $1", campaign_id)
            for position, step in enumerate(steps):
                await connection.execute(
                    "insert into control.steps (workspace_id, campaign_id, identity, position, body, delay_seconds,"
                    " followups) values ($1, $2, $3, $4, $5, $6, $7)",
                    self.workspace_id, campaign_id, step.get("identity", position), position, step["body"],
                    step.get("delay_seconds", 0), json.dumps(step.get("followups", [])),
                )  # fmt: skip

    async def due(self, campaign_id: int) -> list[dict[str, Any]]:
        """Rows of dispatch.due, oldest first."""
        found = await self.pool.fetch(
            "select * from dispatch.due where campaign_id = $1 order by due_at, job_id", campaign_id
        )
        return [dict(row) for row in found]

    async def add_contacts(self, campaign_id: int, contacts: int) -> None:
        """As an import does it: rows, count and generation in one transaction, under the campaign's lock."""
        async with self.pool.acquire() as connection, connection.transaction():
            await connection.execute(
                "update control.campaigns set total_contacts = total_contacts + $2,"
                " contacts_generation = contacts_generation + 1 where id = $1",
                campaign_id,
                contacts,
            )
            await connection.execute(
                _INSERT_CONTACTS,
                self.workspace_id,
                campaign_id,
                contacts,
            )

    async def transition(self, campaign_id: int, action: str) -> str:
        """start, pause, stop."""
        outcome: str = await self.pool.fetchval(
            "select outcome from control.transition($1, $2, $3, 'user:1')", self.workspace_id, campaign_id, action
        )
        return outcome

    async def delete(self, campaign_id: int) -> None:
        """As the api does it."""
        await self.pool.execute(
            "update control.campaigns set deleted_at = now(), version = version + 1 where id = $1", campaign_id
        )

    async def status(self, campaign_id: int) -> str:
        """Of the campaign."""
        status: str = await self.pool.fetchval("select status from control.campaigns where id = $1", campaign_id)
        return status

    async def waiting_for(self, campaign_id: int) -> tuple[Any, Any] | None:
        """next_send_at and waiting_for, once there is something."""
        row = await self.pool.fetchrow(
            "select next_send_at, waiting_for from control.campaigns where id = $1", campaign_id
        )
        return (row["next_send_at"], row["waiting_for"]) if row and row["waiting_for"] else None

    async def becomes(self, campaign_id: int, status: str, timeout: float = 30.0) -> None:
        """Wait for a status."""

        async def there() -> bool:
            assert await self.status(campaign_id) == status
            return True

        await eventually(there, timeout)

    async def completes(self, campaign_id: int, contacts: int) -> None:
        """Wait for the end, at which everything must be exact."""
        await self.becomes(campaign_id, "completed", timeout=40.0)
        pending, sent, failed = await self.counters(campaign_id)
        assert (pending, sent + failed) == (0, contacts)
        assert (await self.run(campaign_id))["jobs_made"] == contacts
        assert len(await self.rows(campaign_id)) == contacts

    async def run(self, campaign_id: int) -> dict[str, Any]:
        """The row in dispatch.runs, empty when there is none."""
        row = await self.pool.fetchrow("select * from dispatch.runs where campaign_id = $1", campaign_id)
        return dict(row) if row else {}

    async def counters(self, campaign_id: int) -> tuple[int, int, int]:
        """pending, sent, failed."""
        row = await self.pool.fetchrow(
            "select pending, sent, failed from delivery.campaign_counters where campaign_id = $1", campaign_id
        )
        return (row["pending"], row["sent"], row["failed"]) if row else (0, 0, 0)

    async def waiting(self, campaign_id: int) -> int:
        """Jobs in the campaign's queue."""
        subject = f"send.job.{self.account_id}.{campaign_id}"
        info = await self.client.jetstream().stream_info(SEND_JOBS, subjects_filter=subject)
        return (info.state.subjects or {}).get(subject, 0)

    async def expanded(self, campaign_id: int, jobs: int) -> None:
        """Wait until the run has made so many jobs."""

        async def there() -> bool:
            return (await self.run(campaign_id)).get("jobs_made") == jobs

        await eventually(there, what=f"{jobs} jobs made")

    async def rows(self, campaign_id: int) -> list[dict[str, Any]]:
        """The log of a campaign."""
        found = await self.pool.fetch(
            "select * from delivery.messages where campaign_id = $1 order by position", campaign_id
        )
        return [dict(row) for row in found]

    async def campaign_events(self, campaign_id: int) -> list[dict[str, Any]]:
        """What the world was told of a campaign, in order of versions; waits until the outbox is empty."""

        async def relayed() -> bool:
            return not await self.pool.fetchval("select exists (select from control.outbox)")

        await eventually(relayed, what="an empty outbox")
        js, sequence = self.client.jetstream(), 1
        found: list[dict[str, Any]] = []
        while True:
            try:
                message = await js.get_msg(
                    CAMPAIGN_EVENTS, seq=sequence, subject=f"campaign.event.*.*.{campaign_id}", next=True
                )
            except NotFoundError:
                return sorted(found, key=lambda event: event["version"])
            found.append(json.loads(message.data or b"{}"))
            sequence = (message.seq or 0) + 1


@asynccontextmanager
async def outside(nats_url: str, dsn: str) -> AsyncIterator[Outside]:
    """The test's own connections, a workspace and an active account."""
    client = await nats.connect(nats_url, reconnect_time_wait=0.1, max_reconnect_attempts=-1, error_cb=_quiet)
    publisher = WindowPublisher(client)
    await publisher.start()
    pool = await asyncpg.create_pool(dsn, min_size=1, max_size=3)
    workspace_id = await pool.fetchval(
        "insert into control.workspaces (name) values ($1) returning id", f"workspace {next(_names)}"
    )
    account_id = await pool.fetchval(
        "insert into control.telegram_accounts (workspace_id, kind, status, handle, limits)"
        " values ($1, 'user', 'active', 'shop', $2) returning id",
        workspace_id,
        json.dumps(LIMITS),
    )
    try:
        yield Outside(client, publisher, pool, workspace_id, account_id)
    finally:
        await pool.close()
        await client.close()


@dataclass
class Gateway:
    """Plays the telegram-gateway for one campaign: admits into the ledger once, publishes the outcome, acknowledges."""

    outside: Outside
    campaign_id: int
    seen: list[SendJob] = field(default_factory=list)
    refuse_every: int = 10
    forgets: int = 0  # so many jobs are acknowledged at first, and their outcomes lost
    codes: dict[int, str] = field(default_factory=dict)  # by step identity: discarded with this code

    async def run(self) -> None:
        """Until cancelled, also through outages: a timeout loses a round, not the job."""
        while True:
            try:
                await self._work()
            except (nats.errors.Error, OSError):
                await asyncio.sleep(0.1)

    async def _work(self) -> None:
        client, account = self.outside.client, self.outside.account_id
        await client.jetstream().add_consumer(SEND_JOBS, job_consumer(account, self.campaign_id))
        name = job_consumer_name(account, self.campaign_id)
        subscription = PullSubscription(client, stream=SEND_JOBS, consumer=name)
        await subscription.start()
        try:
            while True:
                if subscription.requested < 200:
                    await subscription.request(200, expires_seconds=0.5)
                messages = subscription.take(200)
                if not messages:
                    await subscription.wait(0.2)
                    if subscription.last_status in ("503", "409"):
                        raise nats.errors.Error("the consumer is gone")
                    continue
                jobs = [SendJob.model_validate_json(message.data) for message in messages]
                self.seen += jobs
                lost, self.forgets = jobs[: self.forgets], max(0, self.forgets - len(jobs))
                await self.tell(jobs[len(lost) :])
                for message in messages:
                    await client.publish(message.reply, b"+ACK")
        finally:
            await subscription.stop()

    async def has_seen(self, jobs: int) -> None:
        """Wait for so many jobs."""
        await eventually(lambda: len(self.seen) >= jobs, what=f"{jobs} jobs seen")

    async def tell(self, jobs: Sequence[SendJob]) -> None:
        """Publish an outcome for each job, always the same for the same person."""
        await self.outside.publisher.publish([self._outcome(job) for job in jobs])

    def _outcome(self, job: SendJob) -> Outgoing:
        refused = self.refuse_every and job.contact_id % self.refuse_every == 0
        code = self.codes.get(job.step_identity)
        event = delivery_event(
            job=job.job_id,
            state=MessageState.DISCARDED if code else MessageState.FAILED if refused else MessageState.SENT,
            attempt=1,
            occurred_at=datetime.now(UTC),
            workspace_id=job.workspace_id,
            campaign_id=job.campaign_id,
            account_id=job.account_id,
            sender_id=job.contact_id,
            run_id=job.run_id,
            step=job.step,
            trigger=job.trigger,
            queued_at=job.queued_at,
            telegram_message_id=None if refused or code else job.contact_id,
            error=DeliveryError(code=code or "USER_PRIVACY", message="No.") if refused or code else None,
        )
        return Outgoing(event.subject, event.model_dump_json().encode())


@asynccontextmanager
async def gateway(outside: Outside, campaign_id: int, **values: Any) -> AsyncIterator[Gateway]:
    """A gateway at work."""
    played = Gateway(outside, campaign_id, **values)
    task = asyncio.create_task(played.run())
    try:
        yield played
    finally:
        task.cancel()
        await asyncio.wait([task])


async def _quiet(_: Exception) -> None:
    """Outages are what some of these tests are about."""
