"""Another workspace's things can not be named in bodies and queries either; below HTTP their rows are not there.

Things named in paths: test_every_route.py. Every table and every role: tests/common/test_row_level_security.py.
"""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from relaygram_common import identity
from tests.api.support import Api


@pytest.fixture(scope="module")
async def stranger(api: Api) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody of another workspace."""
    await identity.bootstrap(api.database.dsn, workspace="second", email="other@example.com")
    token = await identity.create_token(api.database.dsn, "other@example.com", "t", ["*"])
    async with api.bearing(token) as client:
        yield client


@pytest.fixture(scope="module")
async def their_campaign(stranger: httpx.AsyncClient) -> Any:
    """A draft of theirs."""
    account = await stranger.post("/api/v1/telegram-accounts", json={"kind": "user", "phone": "+4915199999999"})
    body = {"name": "x", "mode": "broadcast", "body": "x", "telegram_account_id": account.json()["data"]["id"]}
    return (await stranger.post("/api/v1/campaigns", json=body)).json()["data"]


async def test_a_foreign_account_can_not_be_used(api: Api, stranger: httpx.AsyncClient, their_campaign: Any) -> None:
    fields = {"telegram_account_id": await api.account()}
    made = await stranger.post("/api/v1/campaigns", json={"name": "x", "mode": "broadcast", "body": "x", **fields})
    changed = await stranger.put(f"/api/v1/campaigns/{their_campaign['id']}", json=fields)
    for refused in (made, changed):
        assert refused.status_code == 422
        assert list(refused.json()["errors"]) == ["telegram_account_id"]


async def test_a_foreign_contact_can_not_be_written_to_or_seen(
    api: Api, stranger: httpx.AsyncClient, their_campaign: Any
) -> None:
    ours = await api.broadcast(1)
    [sender] = await api.data("GET", f"/campaigns/{ours['id']}/senders")
    for action in ("preview", "test"):
        path = f"/api/v1/campaigns/{their_campaign['id']}/{action}"
        refused = await stranger.post(path, json={"sender_id": sender["id"]})
        assert refused.status_code == 422, refused.text
        assert list(refused.json()["errors"]) == ["sender_id"]
    assert (await stranger.get(f"/api/v1/logs?sender_id={sender['id']}")).json()["data"] == []


async def test_a_transaction_of_one_workspace_sees_and_changes_nothing_of_another(
    api: Api, their_campaign: Any
) -> None:
    async with api.parts.database.workspace(api.workspace_id) as connection:
        assert (
            await connection.fetchval("select count(*) from control.campaigns where id = $1", their_campaign["id"]) == 0
        )
        assert await connection.execute("update control.campaigns set name = 'y' where name = 'x'") == "UPDATE 0"
