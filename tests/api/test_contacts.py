"""Taking a person out of a campaign."""

from typing import Any

import pytest

from relaygram_common.contracts.ids import job_id
from relaygram_local_stack.servers import NatsServer
from tests.api.gateway_calls import admit, take_term
from tests.api.log_rows import row, write_log
from tests.api.support import Api, running_api
from tests.support.servers import Database


async def senders(api: Api, campaign: int) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = await api.data("GET", f"/campaigns/{campaign}/senders", params={"per_page": 100})
    return rows


async def total(api: Api, campaign: int) -> int:
    number: int = (await api.data("GET", f"/campaigns/{campaign}"))["total_contacts"]
    return number


async def test_delete_campaigns_contacts(api: Api) -> None:
    """DELETE /campaigns/{id}/contacts/{sender_id}: the contact leaves, and the total with it."""
    campaign = (await api.broadcast(3))["id"]
    one, two, three = [person["id"] for person in await senders(api, campaign)]
    await api.call("DELETE", f"/campaigns/{campaign}/contacts/{two}", status=204)
    assert [person["id"] for person in await senders(api, campaign)] == [one, three]
    assert await total(api, campaign) == 2
    await api.call("DELETE", f"/campaigns/{campaign}/contacts/{two}", status=404)
    await api.import_csv(campaign, "handle\nperson_0001\n")
    assert await total(api, campaign) == 3


async def test_a_campaign_whose_people_all_left_does_not_start(api: Api) -> None:
    campaign = (await api.broadcast(1))["id"]
    (one,) = await senders(api, campaign)
    await api.call("DELETE", f"/campaigns/{campaign}/contacts/{one['id']}", status=204)
    refused = await api.call("POST", f"/campaigns/{campaign}/start", status=422)
    assert refused["code"] == "no_contacts"


@pytest.mark.parametrize("state", ["queued", "sent", "failed"])
async def test_who_has_a_message_stays_in_the_total_and_in_the_log(api: Api, state: str) -> None:
    campaign = (await api.broadcast(2))["id"]
    one, _ = await senders(api, campaign)
    await write_log(api, [row(campaign, state, sender_id=one["id"], body="Hello P0", destination="@person_0000")])
    await api.call("DELETE", f"/campaigns/{campaign}/contacts/{one['id']}", status=204)
    assert await total(api, campaign) == 2
    (logged,) = await api.data("GET", f"/campaigns/{campaign}/logs")
    assert (logged["sender_id"], logged["body"]) == (one["id"], "Hello P0")


async def test_who_has_a_job_stays_in_the_total_and_is_not_sent_anything(api: Api) -> None:
    campaign = await api.broadcast(2)
    one, account = campaign["id"], campaign["telegram_account_id"]
    await api.call("POST", f"/campaigns/{one}/start")
    first, second = [person["id"] for person in await senders(api, one)]
    await api.sql(
        "insert into dispatch.runs (campaign_id, workspace_id, account_id, cursor_contact_id, jobs_made)"
        " values ($1, $2, $3, $4, 1)", one, api.workspace_id, account, first,
    )  # fmt: skip
    term = await take_term(api, account)
    await api.call("DELETE", f"/campaigns/{one}/contacts/{first}", status=204)
    assert await total(api, one) == 2
    admitted = await admit(api, account, term, one, first)
    assert (admitted["job_id"], admitted["decision"], admitted["code"]) == (
        job_id("broadcast", one, first), "gone", "GONE",
    )  # fmt: skip
    await api.call("DELETE", f"/campaigns/{one}/contacts/{second}", status=204)
    assert await total(api, one) == 1


async def test_who_may_take_people_out(api: Api, database: Database, provisioned_nats: NatsServer) -> None:
    campaign = (await api.broadcast(1))["id"]
    other_campaign = (await api.broadcast(1))["id"]
    (one,) = await senders(api, campaign)
    path = f"/campaigns/{campaign}/contacts/{one['id']}"
    async with api.bearing(await api.token_with("campaigns:read", "senders:read")) as reader:
        assert (await reader.delete(f"/api/v1{path}")).status_code == 403
    await api.call("DELETE", f"/campaigns/{other_campaign}/contacts/{one['id']}", status=404)
    async with running_api(database, provisioned_nats.url, workspace="second", email="second@example.com") as other:
        await other.call("DELETE", path, status=404)
    assert len(await senders(api, campaign)) == 1
