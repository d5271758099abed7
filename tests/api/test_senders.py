"""The people of a campaign, with what the log says of each."""

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.api.log_rows import row, write_log
from tests.api.support import Api


@pytest.fixture(scope="module")
async def people(api: Api) -> Any:
    campaign = await api.campaign()
    one = campaign["id"]
    names = ["Pending", "Sent", "Replied", "Failed", "Retried"]
    lines = "".join(f"{name.lower()}_person,{name},Müller,vip|new\n" for name in names)
    await api.import_csv(one, f"handle,first_name,last_name,tags\n{lines}")
    ids = [sender["id"] for sender in await api.data("GET", f"/campaigns/{one}/senders")]
    sent_at, replied_at = datetime(2026, 4, 21, 16, tzinfo=UTC), datetime(2026, 4, 21, 17, tzinfo=UTC)
    await write_log(
        api,
        [
            row(one, "queued", sender_id=ids[0]),
            row(one, "sent", sender_id=ids[1], sent_at=sent_at),
            row(one, "replied", sender_id=ids[2], sent_at=sent_at, replied_at=replied_at),
            row(one, "queued", sender_id=ids[2]),
            row(one, "failed", sender_id=ids[3]),
            row(one, "failed", sender_id=ids[4]),
            row(one, "sent", sender_id=ids[4], sent_at=sent_at),
        ],
    )
    return one


async def test_a_sender_has_the_contracts_fields(api: Api, people: int) -> None:
    rows = await api.data("GET", f"/campaigns/{people}/senders")
    assert rows[2] == {
        "id": rows[2]["id"],
        "campaign_id": people,
        "telegram_user_id": None,
        "handle": "@replied_person",
        "first_name": "Replied",
        "last_name": "Müller",
        "status": "replied",
        "last_message_at": "2026-04-21T16:00:00Z",
        "last_reply_at": "2026-04-21T17:00:00Z",
        "tags": ["vip", "new"],
    }
    assert [one["status"] for one in rows] == ["pending", "sent", "replied", "failed", "sent"]


@pytest.mark.parametrize(
    ("params", "names"),
    [
        ({"status": "pending"}, ["Pending"]),
        ({"status": "sent"}, ["Sent", "Retried"]),
        ({"status": "replied"}, ["Replied"]),
        ({"status": "failed"}, ["Failed"]),
        ({"q": "MÜLL"}, ["Pending", "Sent", "Replied", "Failed", "Retried"]),
        ({"q": "@sent_P"}, ["Sent"]),
        ({"q": "repl", "status": "sent"}, []),
        ({"q": "%"}, []),
    ],
)
async def test_senders_are_filtered(api: Api, people: int, params: dict[str, str], names: list[str]) -> None:
    page = await api.call("GET", f"/campaigns/{people}/senders", params=params)
    assert [one["first_name"] for one in page["data"]] == names
    assert page["meta"]["pagination"]["total"] == len(names)


async def test_senders_come_in_pages(api: Api, people: int) -> None:
    page = await api.call("GET", f"/campaigns/{people}/senders", params={"per_page": 2, "page": 3})
    assert [one["first_name"] for one in page["data"]] == ["Retried"]
    assert page["meta"]["pagination"] == {"current_page": 3, "per_page": 2, "total": 5, "last_page": 3}
    cut = await api.call("GET", f"/campaigns/{people}/senders", params={"per_page": 101})
    assert cut["meta"]["pagination"]["per_page"] == 100


async def walk(api: Api, campaign: int, **params: Any) -> list[int]:
    """All ids by cursor."""
    ids: list[int] = []
    cursor: str | None = None
    while True:
        more = {"cursor": cursor} if cursor else {}
        page = await api.call("GET", f"/campaigns/{campaign}/senders", params={**params, **more})
        ids += [one["id"] for one in page["data"]]
        cursor = page["meta"]["cursor"]["next"]
        if cursor is None:
            return ids


@pytest.mark.parametrize(
    "params", [{}, {"status": "sent"}, {"status": "pending"}, {"q": "m"}, {"q": "ü", "status": "failed"}]
)
async def test_a_cursor_goes_through_all_of_them(api: Api, people: int, params: dict[str, str]) -> None:
    whole = await api.data("GET", f"/campaigns/{people}/senders", params=params)
    assert await walk(api, people, per_page=1, **params) == [one["id"] for one in whole]


async def test_a_cursor_belongs_to_its_list(api: Api, people: int) -> None:
    path = f"/campaigns/{people}/senders"
    cursor = (await api.call("GET", path, params={"per_page": 1}))["meta"]["cursor"]["next"]
    for params, wrong in (
        ({"cursor": cursor, "status": "sent"}, "cursor"),
        ({"cursor": cursor, "page": 2}, "page"),
        ({"cursor": "x"}, "cursor"),
        ({"cursor": "\u0661"}, "cursor"),
    ):
        assert list(await api.errors("GET", path, params=params)) == [wrong]


async def test_each_status_is_found_in_a_large_campaign(api: Api) -> None:
    campaign = (await api.campaign())["id"]
    lines = "".join(f"many_{number:05d},Name{number}\n" for number in range(12_000))
    await api.import_csv(campaign, f"handle,first_name\n{lines}")
    first: int = await api.sql("select min(id) from control.contacts where campaign_id = $1", campaign)
    states = {
        **dict.fromkeys(range(10_500), "sent"),
        **dict.fromkeys(range(10_500, 10_600), "failed"),
        7: "replied",
        9: "queued",
    }
    at = datetime(2026, 4, 21, 17, tzinfo=UTC)
    rows = [
        row(campaign, state, sender_id=first + place, **({"replied_at": at} if state == "replied" else {}))
        for place, state in states.items()
    ]
    await write_log(api, rows)
    for status, expected in (("sent", 10_498), ("failed", 100), ("replied", 1), ("pending", 1401)):
        found = await walk(api, campaign, per_page=100, status=status)
        assert (len(found), found) == (expected, sorted(set(found))), status
        pagination = (await api.call("GET", f"/campaigns/{campaign}/senders?status={status}"))["meta"]["pagination"]
        assert (pagination["total"], pagination["total_is_capped"]) == (min(expected, 10_000), expected > 10_000)
    deep = await api.errors("GET", f"/campaigns/{campaign}/senders", params={"status": "sent", "page": 401})
    assert "cursor" in deep["page"][0]
    past = await api.call("GET", f"/campaigns/{campaign}/senders", params={"status": "failed", "page": 401})
    assert past["data"] == []
    assert (await api.call("GET", f"/campaigns/{campaign}/senders", params={"page": 480}))["data"][-1][
        "handle"
    ] == "@many_11999"


async def test_whose_first_message_waits_for_its_time_is_pending(api: Api) -> None:
    campaign = await api.broadcast(contacts=4)
    path = f"/campaigns/{campaign['id']}/senders"
    people = [one["id"] for one in await api.data("GET", path)]
    account = campaign["telegram_account_id"]
    await api.sql(
        "insert into dispatch.runs (campaign_id, workspace_id, account_id, cursor_contact_id) values ($1, $2, $3, $4)",
        campaign["id"], api.workspace_id, account, people[-1],
    )  # fmt: skip
    due = (
        "insert into dispatch.due (job_id, workspace_id, campaign_id, account_id, contact_id, trigger, due_at,"
        " follows_at) values (gen_random_uuid(), $1, $2, $3, $4, $5, now(), $6)"
    )
    now = datetime.now(UTC)
    for person, trigger, follows in (
        (people[0], "broadcast", None), (people[1], "sequence", now), (people[2], "sequence", None),
    ):  # fmt: skip
        await api.sql(due, api.workspace_id, campaign["id"], account, person, trigger, follows)
    await write_log(api, [row(campaign["id"], "sent", sender_id=one) for one in (people[1], people[3])])
    waiting = await api.data("GET", path, params={"status": "pending"})
    assert [one["id"] for one in waiting] == [people[0], people[2]]
    found = await api.data("GET", path, params={"status": "pending", "q": "person_0002"})
    assert [one["id"] for one in found] == [people[2]]
