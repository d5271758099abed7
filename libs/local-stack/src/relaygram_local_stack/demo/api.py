"""The HTTP calls of the demo, each one that a user would make."""

import asyncio
from typing import Any

import httpx

from relaygram_cli.errors import CommandError
from relaygram_local_stack.demo.verdict import LoggedMessage

_POLL_SECONDS = 0.2
_IMPORT_SECONDS = 600.0
_ACCOUNT_SECONDS = 30.0


class DemoApi:
    """Calls Relaygram's API; an error answer ends the demo with what the API said."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def call(self, method: str, path: str, **arguments: Any) -> Any:
        """The `data` of the answer."""
        return (await self._answer(method, path, **arguments))["data"]

    async def _answer(self, method: str, path: str, **arguments: Any) -> Any:
        answer = await self._client.request(method, f"/api/v1{path}", **arguments)
        while answer.status_code == 429:  # a long demo asks more often than a token may
            await asyncio.sleep(float(answer.headers["Retry-After"]))
            answer = await self._client.request(method, f"/api/v1{path}", **arguments)
        if answer.status_code >= 400:
            raise CommandError(f"{method} {path}: {answer.status_code} {answer.text[:500]}")
        return answer.json()

    async def await_status(self, path: str, wanted: set[str], *, bad: set[str], seconds: float) -> Any:
        """Poll a thing until its status is one of `wanted`."""
        async with asyncio.timeout(seconds):
            while True:
                thing = await self.call("GET", path)
                if thing["status"] in wanted:
                    return thing
                if thing["status"] in bad:
                    raise CommandError(
                        f"{path} is {thing['status']}: {thing.get('status_reason') or thing.get('message')}"
                    )
                await asyncio.sleep(_POLL_SECONDS)

    async def connect_account(self, sandbox: httpx.AsyncClient, phone: str) -> Any:
        """Connect a Telegram account by phone and the code that Telegram sends to it."""
        account = await self.call("POST", "/telegram-accounts", json={"kind": "user", "phone": phone, "name": "Demo"})
        path = f"/telegram-accounts/{account['id']}"
        await self.await_status(path, {"code_required"}, bad={"disabled"}, seconds=_ACCOUNT_SECONDS)
        code = (await sandbox.get(f"/login-codes/{phone}")).json()["code"]
        await self.call("POST", f"{path}/code", json={"code": code})
        return await self.await_status(path, {"active"}, bad={"disabled"}, seconds=_ACCOUNT_SECONDS)

    async def import_contacts(self, campaign_id: int, contacts_csv: str) -> Any:
        """Upload the file and wait for the import's report."""
        started = await self.call(
            "POST",
            f"/campaigns/{campaign_id}/contacts",
            content=contacts_csv.encode(),
            headers={"Content-Type": "text/csv"},
        )
        path = f"/imports/{started['id']}"
        return await self.await_status(path, {"completed"}, bad={"failed"}, seconds=_IMPORT_SECONDS)

    async def log(self, campaign_id: int) -> list[dict[str, Any]]:
        """The whole log, as a poller reads it: by `since_id`."""
        rows: list[dict[str, Any]] = []
        while True:
            page = await self.call(
                "GET",
                f"/campaigns/{campaign_id}/logs",
                params={"per_page": 200, "since_id": rows[-1]["id"] if rows else 0},
            )
            if not page:
                return rows
            rows += page


def logged(row: dict[str, Any]) -> LoggedMessage:
    """What the verdict needs of a row."""
    return LoggedMessage(row["body"] or "", row["status"], row["error"]["code"] if row["error"] else None)
