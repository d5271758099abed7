"""An api in this process, and the calls that tests often make."""

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
import httpx

from relaygram_api.app import make_parts
from relaygram_api.parts import Parts
from relaygram_api.settings import ApiSettings
from relaygram_api.web import gated_app
from relaygram_common import identity
from relaygram_common.runner import Runtime
from relaygram_common.security.sealing import new_key
from tests.support.servers import Database
from tests.support.waiting import eventually

KEY = new_key("test")
EMAIL = "jane@example.com"
_phones = itertools.count(4915100000000)


@dataclass
class Api:
    """A running api and a caller who may do everything."""

    client: httpx.AsyncClient
    parts: Parts
    database: Database
    transport: httpx.ASGITransport
    workspace_id: int
    email: str
    password: str
    token: str

    async def call(self, method: str, path: str, *, status: int = 200, **arguments: Any) -> Any:
        """The JSON of an answer that has this status."""
        answer = await self.client.request(method, f"/api/v1{path}", **arguments)
        assert answer.status_code == status, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    async def data(self, method: str, path: str, *, status: int = 200, **arguments: Any) -> Any:
        """The `data` of such an answer."""
        return (await self.call(method, path, status=status, **arguments))["data"]

    async def errors(self, method: str, path: str, *, status: int = 422, **arguments: Any) -> dict[str, list[str]]:
        """The `errors` by field of a 422."""
        found: dict[str, list[str]] = (await self.call(method, path, status=status, **arguments))["errors"]
        return found

    def bearing(self, token: str | None) -> httpx.AsyncClient:
        """The same api, called with another token or none."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return httpx.AsyncClient(transport=self.transport, base_url="http://api", headers=headers)

    async def token_with(self, *abilities: str) -> str:
        """A token of the same user."""
        made = await self.data("POST", "/tokens", status=201, json={"name": "t", "abilities": list(abilities)})
        token: str = made["token"]
        return token

    async def sql(self, statement: str, *arguments: Any, role: str = "postgres") -> Any:
        """One value, as the superuser or as another service for all workspaces."""
        connection = await asyncpg.connect(
            self.database.dsn_for(role), server_settings={"relaygram.workspace_id": "*"} if role != "postgres" else {}
        )
        try:
            return await connection.fetchval(statement, *arguments)
        finally:
            await connection.close()

    async def account(self, *, status: str = "active") -> int:
        """A Telegram account that the gateway has brought into this status."""
        made = await self.data(
            "POST", "/telegram-accounts", status=202, json={"kind": "user", "phone": f"+{next(_phones)}"}
        )
        if status != "new":
            await self.account_becomes(made["id"], status)
        account_id: int = made["id"]
        return account_id

    async def account_becomes(self, account_id: int, status: str) -> None:
        """What the gateway does when Telegram says so."""
        outcome = await self.sql(
            "select outcome from control.account_transition($1, $2, $3, null)",
            self.workspace_id,
            account_id,
            status,
            role="relaygram_gateway",
        )
        assert outcome == "changed"

    async def campaign(self, account_id: int | None = None, **fields: Any) -> Any:
        """A draft."""
        body = {
            "name": "Launch",
            "mode": "broadcast",
            "body": "Hello {{first_name|there}}",
            "telegram_account_id": account_id or await self.account(),
            **fields,
        }
        return await self.data("POST", "/campaigns", status=201, json=body)

    async def import_csv(self, campaign_id: int, text: str | bytes, *, ends: str = "completed") -> Any:
        """Upload a file and wait until its import has ended so."""
        started = await self.data(
            "POST",
            f"/campaigns/{campaign_id}/contacts",
            status=202,
            content=text.encode() if isinstance(text, str) else text,
            headers={"Content-Type": "text/csv"},
        )
        return await self.import_ends(started["id"], ends)

    async def import_ends(self, import_id: int, status: str = "completed") -> Any:
        """Wait until the import has ended so."""

        async def ended() -> Any:
            found = await self.data("GET", f"/imports/{import_id}")
            return found if found["status"] in ("completed", "failed") else None

        found = await eventually(ended, 30)
        assert found["status"] == status, found
        return found

    async def broadcast(self, contacts: int = 3) -> Any:
        """A draft with contacts, on an active account."""
        campaign = await self.campaign()
        lines = "\n".join(f"person_{number:04d},P{number}" for number in range(contacts))
        await self.import_csv(campaign["id"], f"handle,first_name\n{lines}\n")
        return campaign


@asynccontextmanager
async def running_api(
    database: Database, nats_url: str, *, email: str = EMAIL, workspace: str = "first", **settings: Any
) -> AsyncIterator[Api]:
    """An api with a workspace, a user and a token."""
    made = await identity.bootstrap(database.dsn, workspace=workspace, email=email)
    token = await identity.create_token(database.dsn, email, "test", ["*"])
    async with _parts(database, nats_url, settings) as parts:
        transport = httpx.ASGITransport(gated_app(parts))
        headers = {"Authorization": f"Bearer {token}"}
        async with httpx.AsyncClient(transport=transport, base_url="http://api", headers=headers) as client:
            yield Api(client, parts, database, transport, made.workspace_id, email, made.password or "", token)


@asynccontextmanager
async def another_api(first: Api, **settings: Any) -> AsyncIterator[httpx.AsyncClient]:
    """A client of one more api over the same servers, with the first one's token."""
    async with _parts(first.database, first.parts.settings.nats_url, settings) as parts:
        headers = {"Authorization": f"Bearer {first.token}"}
        transport = httpx.ASGITransport(gated_app(parts))
        async with httpx.AsyncClient(transport=transport, base_url="http://api", headers=headers) as client:
            yield client


@asynccontextmanager
async def _parts(database: Database, nats_url: str, settings: dict[str, Any]) -> AsyncIterator[Parts]:
    chosen = {
        "postgres_dsn": database.api,
        "nats_url": nats_url,
        "secret_keys": KEY,
        "rate_limit_per_minute": 0,
        "channel_logs_per_minute": 0,
        "send_logs_per_minute": 0,
        "telegram_sandbox_address": "127.0.0.1:1",
        "import_poll_seconds": 0.2,
        "login_failures_per_minute": 100,
        # So long only here: a busy machine is no outage.
        "database_answer_seconds": 15.0,
        # The transport of these tests hands an answer over when it has ended.
        "stream_max_seconds": 1,
        **settings,
    }
    async with make_parts(ApiSettings(**chosen), Runtime()) as parts:
        yield parts
