"""The contract's section "Contacts", sentence by sentence; the topics' own tests go further."""

from typing import Any

import pytest

from relaygram_local_stack.servers import NatsServer
from tests.api.log_rows import row, write_log
from tests.api.support import Api, running_api
from tests.support.servers import Database

CSV = {"Content-Type": "text/csv"}


async def senders(api: Api, campaign: int, **params: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = await api.data("GET", f"/campaigns/{campaign}/senders", params=params)
    return rows


async def test_get_campaigns_id_senders(api: Api) -> None:
    """per_page 25 cap 100, page, status, q (case-insensitive substring of first, last name or handle)."""
    campaign = (await api.campaign())["id"]
    people = "".join(f"reader_{number:03d},+49151000{number:04d},Ann{number},Zoë,a|b\n" for number in range(130))
    await api.import_csv(campaign, f"handle,phone,first_name,last_name,tags\n{people}")
    page = await api.call("GET", f"/campaigns/{campaign}/senders")
    assert page["meta"]["pagination"] == {"current_page": 1, "per_page": 25, "total": 130, "last_page": 6}
    assert page["data"][0] == {
        "id": page["data"][0]["id"], "campaign_id": campaign, "telegram_user_id": None, "handle": "@reader_000",
        "first_name": "Ann0", "last_name": "Zoë", "status": "pending", "last_message_at": None, "last_reply_at": None,
        "tags": ["a", "b"],
    }  # fmt: skip
    assert len(await senders(api, campaign, per_page=1000)) == 100
    assert len(await senders(api, campaign, per_page=100, page=2)) == 30
    assert await senders(api, campaign, page=99) == []
    for wrong in ({"per_page": 0}, {"page": -1}, {"per_page": "x"}, {"status": "queued"}):
        assert list(await api.errors("GET", f"/campaigns/{campaign}/senders", params=wrong)) == list(wrong)
    await write_log(api, [row(campaign, "failed", sender_id=page["data"][3]["id"])])
    assert [one["handle"] for one in await senders(api, campaign, status="failed")] == ["@reader_003"]
    for q, found in (("READER_12", 10), ("ANN129", 1), ("zoË", 25), ("nobody", 0)):
        assert len(await senders(api, campaign, q=q)) == found, q


async def test_phone_numbers_are_never_returned(api: Api) -> None:
    """Phone numbers are never returned."""
    campaign = (await api.campaign())["id"]
    done = await api.import_csv(campaign, "phone,first_name\n+4915199990000,P\n")
    await api.data("POST", "/suppressions", json={"phone": "+4915199990000"})
    for path in (f"/campaigns/{campaign}/senders", f"/imports/{done['id']}", "/suppressions"):
        assert "9999000" not in (await api.client.get(f"/api/v1{path}")).text, path


async def test_post_campaigns_id_contacts(api: Api) -> None:
    """JSON {"contacts": [...]} or text/csv -> 202; received = accepted + duplicates + rejected; errors by line."""
    campaign = (await api.campaign())["id"]
    path = f"/campaigns/{campaign}/contacts"
    contacts = [{"handle": "https://t.me/Json_One", "tags": ["x"]}, {"handle": "json_one"}, {"handle": "?"}]
    started = await api.data("POST", path, status=202, json={"contacts": contacts})
    assert started["status"] in ("queued", "running", "completed")
    assert {"id", "status", "received", "accepted", "duplicates", "rejected"} <= set(started)
    done = await api.import_ends(started["id"])
    assert [done[name] for name in ("received", "accepted", "duplicates", "rejected")] == [3, 1, 1, 1]
    file = "\ufeffphone;telegram_user_id;handle;tags;time_zone;city\n;;@CSV_One;a|b;Europe/Berlin;Rome\n;;@;;;\n"
    done = await api.import_csv(campaign, file)
    assert [done[name] for name in ("received", "accepted", "duplicates", "rejected")] == [2, 1, 0, 1]
    (error,) = await api.data("GET", f"/imports/{done['id']}/errors")
    assert {**error, "reason": ""} == {"line": 3, "column": "handle", "value": "@", "reason": ""}
    assert error["reason"]
    as_csv = (await api.client.get(f"/api/v1/imports/{done['id']}/errors?format=csv")).text.splitlines()
    assert (as_csv[0], as_csv[1][:12]) == ("line,column,value,reason", "3,handle,'@,")
    assert [one["handle"] for one in await senders(api, campaign)] == ["@json_one", "@csv_one"]
    async with api.bearing(await api.token_with("campaigns:read", "campaigns:control")) as reader:
        assert (await reader.post(f"/api/v1{path}", json={"contacts": contacts})).status_code == 403


@pytest.mark.parametrize(("actions", "status"), [(["start"], 202), (["start", "pause"], 202), (["stop"], 409)])
async def test_contacts_into_campaigns_of_any_status(api: Api, actions: list[str], status: int) -> None:
    """Into a running broadcast the new people are added; into completed or stopped 409."""
    campaign = (await api.broadcast(1))["id"]
    for action in actions:
        await api.call("POST", f"/campaigns/{campaign}/{action}")
    await api.call("POST", f"/campaigns/{campaign}/contacts", status=status, content=b"handle\nlate_one\n", headers=CSV)
    if actions == ["stop"]:
        return
    await api.sql("update control.campaigns set status = 'completed', status_reason = null, completed_at = now()")
    await api.call("POST", f"/campaigns/{campaign}/contacts", status=409, content=b"handle\nlate_two\n", headers=CSV)


async def test_delete_campaigns_id_contacts_sender_id(api: Api) -> None:
    """DELETE /campaigns/{id}/contacts/{sender_id}: 204, then 404."""
    campaign = (await api.broadcast(1))["id"]
    (one,) = await senders(api, campaign)
    await api.call("DELETE", f"/campaigns/{campaign}/contacts/{one['id']}", status=204)
    await api.call("DELETE", f"/campaigns/{campaign}/contacts/{one['id']}", status=404)


async def test_post_people_erase(api: Api) -> None:
    """POST /people/erase {telegram_user_id|handle|phone}: they leave contacts, a hash stays, and streams age out."""
    campaign = (await api.campaign())["id"]
    file = "telegram_user_id,handle,phone\n31,,\n,erase_me,\n,,+4915131313\n,stays_here,\n"
    await api.import_csv(campaign, file)
    for person in ({"telegram_user_id": 31}, {"handle": "@Erase_Me"}, {"phone": "+49 151 31313"}):
        done = await api.data("POST", "/people/erase", json=person)
        assert done["contacts"] == 1
        assert len(done["streams_forget_by"]) == len("2026-04-21")
    again = await api.import_csv(campaign, file)
    assert (again["duplicates"], again["rejected"]) == (1, 3)
    assert [one["handle"] for one in await senders(api, campaign)] == ["@stays_here"]


async def test_get_post_and_delete_suppressions(api: Api, database: Database, provisioned_nats: NatsServer) -> None:
    """GET/POST /suppressions, DELETE /suppressions/{id}: who must not be written to, why, since when; CSV too."""
    async with running_api(database, provisioned_nats.url, workspace="contract", email="contract@example.com") as fresh:
        await fresh.data("POST", "/suppressions", json={"handle": "@No_More", "reason": "asked"})
        await fresh.data("POST", "/suppressions", content=b"telegram_user_id,reason\n77,bounced\n", headers=CSV)
        page = await fresh.call("GET", "/suppressions")
        assert page["meta"]["pagination"] == {"current_page": 1, "per_page": 25, "total": 2, "last_page": 1}
        shown = [(one["handle"], one["telegram_user_id"], one["reason"]) for one in page["data"]]
        assert shown == [("@no_more", None, "asked"), (None, 77, "bounced")]
        assert all(one["created_at"].endswith("Z") for one in page["data"])
        as_csv = await fresh.client.get("/api/v1/suppressions", headers={"Accept": "text/csv"})
        assert len(as_csv.text.splitlines()) == 3
        for one in page["data"]:
            await fresh.call("DELETE", f"/suppressions/{one['id']}", status=204)
        assert (await fresh.call("GET", "/suppressions"))["data"] == []
