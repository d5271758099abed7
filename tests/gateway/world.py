"""A world for the gateway: real NATS, PostgreSQL and sandbox; the tests play the api and the dispatcher."""

import asyncio
import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import nats
from nats.aio.client import Client

from relaygram_common.contracts.delivery import DeliveryEvent
from relaygram_common.contracts.ids import job_id
from relaygram_common.contracts.jobs import SendJob
from relaygram_common.jetstream.publisher import Outgoing, WindowPublisher
from relaygram_common.security.sealing import Sealer, new_key
from relaygram_local_stack.servers import NatsServer
from tests.gateway.gateways import GatewayProcess
from tests.sandbox.support import SandboxProcess
from tests.support.servers import Database
from tests.support.waiting import eventually

NO_LIMITS = {
    "messages_per_second": None, "messages_per_hour": None, "messages_per_day": None, "warm_up": False,
    "resolves_per_minute": None,
}  # fmt: skip
_numbers = itertools.count(1)
_phones = itertools.count(4915100000001)


@dataclass(frozen=True)
class Account:
    """An account of ours and the person it is on Telegram."""

    id: int
    person: dict[str, Any]


class World:
    """Servers, and what the other services would do."""

    def __init__(self, database: Database, nats_server: NatsServer, sandbox: SandboxProcess, folder: Path) -> None:
        self.database = database
        self.nats = nats_server
        self.sandbox = sandbox
        self.folder = folder
        self.keys = new_key("test")
        self.sealer = Sealer(self.keys)
        self.sql: asyncpg.Connection[asyncpg.Record]
        self.client: Client
        self.publisher: WindowPublisher
        self.workspace = 0
        self.events: list[DeliveryEvent] = []
        self._public_key = ""

    async def open(self) -> None:
        """Connect to everything."""
        self.sql = await asyncpg.connect(self.database.dsn)
        await self.sql.set_type_codec("jsonb", schema="pg_catalog", encoder=json.dumps, decoder=json.loads)
        self.workspace = await self.sql.fetchval(
            "insert into control.workspaces (name) values ($1) returning id", str(uuid4())
        )
        self.client = await nats.connect(
            self.nats.url, reconnect_time_wait=0.2, max_reconnect_attempts=-1, error_cb=_quiet
        )
        self.publisher = WindowPublisher(self.client)
        await self.publisher.start()
        await self.client.subscribe("delivery.event.>", cb=self._on_event)
        self._public_key = (await self.sandbox.get("/info"))["public_key_pem"]

    async def close(self) -> None:
        """Disconnect."""
        await self.sql.close()
        await self.client.close()

    async def second_connection(self) -> "asyncpg.Connection[asyncpg.Record]":
        """To hold something up while the first one goes on."""
        connection: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(self.database.dsn)
        return connection

    async def _on_event(self, message: Any) -> None:
        self.events.append(DeliveryEvent.model_validate_json(message.data))

    def gateway(self, port: int, **settings: object) -> GatewayProcess:
        """A gateway of this world, not started yet."""
        values: dict[str, object] = {
            "nats_url": self.nats.url, "postgres_dsn": self.database.gateway, "secret_keys": self.keys,
            "telegram_sandbox_address": f"{self.sandbox.host}:{self.sandbox.mtproto_port}",
            "telegram_sandbox_public_key": self._public_key,
            "lease_seconds": 2, "lease_margin_seconds": 0.3, "accounts_poll_seconds": 0.3,
            "random_id_trust_seconds": 2, "network_retry_first_seconds": 0.2, "connection_settle_seconds": 0.2,
            "per_chat_seconds": 0.2,
            "log_format": "console", **settings,
        }  # fmt: skip
        environment = {f"RELAYGRAM_{name.upper()}": str(value) for name, value in values.items()}
        return GatewayProcess(f"gateway-{next(_numbers)}", port, self.folder, environment)

    async def new_account(self, *, kind: str = "user", limits: dict[str, Any] | None = None) -> int:
        """A row as the api makes it."""
        statement = (
            "insert into control.telegram_accounts (workspace_id, kind, limits) values ($1, $2, $3) returning id"
        )
        return int(await self.sql.fetchval(statement, self.workspace, kind, {**NO_LIMITS, **(limits or {})}))

    async def account(self, *, kind: str = "user", limits: dict[str, Any] | None = None, **person: Any) -> Account:
        """An account that is logged in already."""
        account_id = await self.new_account(kind=kind, limits=limits)
        token = {"bot_token": f"{next(_phones)}:{uuid4().hex}{uuid4().hex[:8]}"} if kind == "bot" else {}
        known = await self.sandbox.person(**{"username": f"sender_{uuid4().hex[:10]}", **token, **person})
        sealed = self.sealer.seal(await self.sandbox.session_of(known), owner=f"session:{account_id}")
        await self.sql.execute(
            "insert into telegram.sessions (account_id, workspace_id, sealed) values ($1, $2, $3)",
            account_id, self.workspace, sealed,
        )  # fmt: skip
        await self.sql.execute(
            "update control.telegram_accounts set status = 'active', telegram_user_id = $2, handle = $3 where id = $1",
            account_id, known["id"], known["username"],
        )  # fmt: skip
        return Account(account_id, known)

    async def set_limits(self, account_id: int, **limits: Any) -> None:
        """PATCH: key by key, and the doorbell."""
        await self.sql.execute(
            "update control.telegram_accounts set limits = limits || $2 where id = $1", account_id, limits
        )
        await self.ring(account_id, "limits")

    async def secret(self, account_id: int, kind: str, text: str) -> None:
        """What a person enters for the log-in; and the doorbell."""
        sealed = self.sealer.seal(text, owner=f"login:{account_id}:{kind}")
        await self.sql.execute(
            "insert into control.login_secrets (account_id, kind, workspace_id, sealed) values ($1, $2, $3, $4)"
            " on conflict (account_id, kind) do update set sealed = excluded.sealed",
            account_id, kind, self.workspace, sealed,
        )  # fmt: skip
        await self.ring(account_id, kind)

    async def ring(self, account_id: int, verb: str) -> None:
        """An account command."""
        body = f'{{"workspace_id": {self.workspace}, "account_id": {account_id}}}'.encode()
        await self.publisher.publish([Outgoing(f"account.command.{verb}.{self.workspace}.{account_id}", body)])

    async def status(self, account_id: int) -> tuple[str, str | None]:
        """The account's status and its reason."""
        row = await self.sql.fetchrow(
            "select status, status_reason from control.telegram_accounts where id = $1", account_id
        )
        assert row is not None
        return row["status"], row["status_reason"]

    async def reaches(self, account_id: int, status: str, timeout: float = 30) -> str | None:
        """Wait for a status; its reason."""

        async def there() -> bool:
            now = await self.status(account_id)
            assert now[0] == status, now
            return True

        await eventually(there, timeout)
        return (await self.status(account_id))[1]

    async def campaign(self, account: Account, body: str = "Hello {{first_name}}", status: str = "running") -> int:
        """A broadcast as the api makes it."""
        statement = (
            "insert into control.campaigns (workspace_id, name, mode, body, telegram_account_id, status, status_reason)"
            " values ($1, 'c', 'broadcast', $2, $3, $4, $5) returning id"
        )
        reason = "user" if status == "paused" else None
        return int(await self.sql.fetchval(statement, self.workspace, body, account.id, status, reason))

    async def move(self, campaign: int, action: str) -> None:
        """pause, stop, start: as the api and its relay do it."""
        row = await self.sql.fetchrow(
            "select version, status from control.transition($1, $2, $3, 'test')", self.workspace, campaign, action
        )
        assert row is not None
        found = await self.sql.fetchrow(
            "select telegram_account_id, mode from control.campaigns where id = $1", campaign
        )
        assert found is not None
        bucket = await self.client.jetstream().key_value("campaign_state")
        key = f"{found['telegram_account_id']}.{campaign}"
        if row["status"] in ("running", "paused"):
            value = f'{{"state": "{row["status"]}", "version": {row["version"]}, "mode": "{found["mode"]}"}}'
            await bucket.put(key, value.encode())
        else:
            await bucket.delete(key)

    async def people(self, count: int, **fields: Any) -> list[dict[str, Any]]:
        """People on Telegram."""
        stem = uuid4().hex[:8]
        made: list[dict[str, Any]] = await self.sandbox.post(
            "/users",
            [{"username": f"p{stem}_{n}", "first_name": f"Person{n}", **fields} for n in range(count)],
        )
        return made

    async def contacts(self, campaign: int, people: Sequence[dict[str, Any]]) -> list[int]:
        """The people as contacts of a campaign, by handle."""
        rows = await self.sql.fetch(
            "insert into control.contacts (workspace_id, campaign_id, handle, first_name)"
            " select $1, $2, h, f from unnest($3::text[], $4::text[]) as x (h, f) returning id",
            self.workspace, campaign, [one["username"].lower() for one in people],
            [one["first_name"] for one in people],
        )  # fmt: skip
        await self.sql.execute(
            "update control.campaigns set total_contacts = total_contacts + $2 where id = $1", campaign, len(rows)
        )
        return [row["id"] for row in rows]

    def jobs(self, account: Account, campaign: int, contacts: Sequence[int]) -> list[SendJob]:
        """A job for each contact."""
        return [
            SendJob(
                job_id=job_id("broadcast", campaign, contact), workspace_id=self.workspace, account_id=account.id,
                campaign_id=campaign, contact_id=contact, run_id=1, step=0, trigger="broadcast",
                queued_at=datetime.now(UTC),
            )
            for contact in contacts
        ]  # fmt: skip

    async def publish(self, jobs: Sequence[SendJob]) -> None:
        """As the dispatcher does it."""
        await self.publisher.publish([Outgoing(job.subject, job.model_dump_json().encode()) for job in jobs])

    async def broadcast(
        self, account: Account, people: Sequence[dict[str, Any]], body: str = "Hello {{first_name}}"
    ) -> tuple[int, list[SendJob]]:
        """A running campaign with a published job for each person."""
        campaign = await self.campaign(account, body)
        jobs = self.jobs(account, campaign, await self.contacts(campaign, people))
        await self.publish(jobs)
        return campaign, jobs

    def final(self, jobs: Sequence[SendJob]) -> dict[UUID, DeliveryEvent]:
        """The final events of these jobs that were heard so far, the highest rank of each."""
        wanted = {job.job_id for job in jobs}
        found: dict[UUID, DeliveryEvent] = {}
        for event in self.events:
            if event.job_id in wanted and event.state.value in ("sent", "failed", "discarded", "expired"):
                found[event.job_id] = event
        return found

    async def settled(self, jobs: Sequence[SendJob], timeout: float = 15) -> dict[UUID, DeliveryEvent]:
        """Wait until each job has its final event."""
        await eventually(lambda: len(self.final(jobs)) == len(jobs), timeout, what="all jobs final")
        return self.final(jobs)

    async def accepted(self, account: Account) -> list[dict[str, Any]]:
        """What Telegram has from the account."""
        found: list[dict[str, Any]] = await self.sandbox.get("/messages", from_id=account.person["id"], limit=10000)
        return found

    async def wire(self, account: Account, method: str = "messages.sendMessage") -> list[dict[str, Any]]:
        """Every attempt that arrived from the account."""
        found: list[dict[str, Any]] = await self.sandbox.get("/wire", limit=10000)
        return [one for one in found if one["account_id"] == account.person["id"] and one["method"] == method]

    async def jobs_left(self, campaign: int) -> int:
        """Jobs of a campaign that lie in the stream."""
        info = await self.client.jetstream().stream_info("SEND_JOBS", subjects_filter=f"send.job.*.{campaign}")
        return sum((info.state.subjects or {}).values())

    async def queue_is_empty(self, campaign: int) -> None:
        """Wait until every job of the campaign was acknowledged."""

        async def empty() -> bool:
            return await self.jobs_left(campaign) == 0

        await eventually(empty, 30, what="no job left")


async def _quiet(_: Exception) -> None:
    await asyncio.sleep(0)
