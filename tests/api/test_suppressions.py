"""Who must not be written to: the list, and that it holds at once."""

import asyncio
import csv
import io
import random
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from relaygram_local_stack.servers import NatsServer
from tests.api.support import Api, running_api
from tests.support.servers import Database

CSV = {"Content-Type": "text/csv"}


async def listed(api: Api, **params: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = await api.data("GET", "/suppressions", params={"per_page": 100, **params})
    return rows


async def test_get_and_post_suppressions_one_person(api: Api) -> None:
    """GET/POST /suppressions: who must not be written to, why, since when."""
    person = {"handle": "https://t.me/Ann_One", "telegram_user_id": 700, "phone": "+49 151 7000001", "reason": "asked"}
    done = await api.data("POST", "/suppressions", json=person)
    assert done == {"received": 1, "added": 1, "already_listed": 0, "rejected": 0, "errors": []}
    (row,) = await listed(api, q="ann_one")
    assert row == {
        "id": row["id"], "telegram_user_id": 700, "handle": "@ann_one", "phone": "…0001", "erased": False,
        "reason": "asked", "created_at": row["created_at"],
    }  # fmt: skip
    assert row["created_at"].endswith("Z")
    again = await api.data("POST", "/suppressions", json={"handle": "@ANN_ONE"})
    assert (again["added"], again["already_listed"]) == (0, 1)
    assert len(await listed(api, q="ann_one")) == 1


async def test_who_is_listed_by_one_address_takes_the_others(api: Api) -> None:
    await api.data("POST", "/suppressions", json={"people": [{"handle": "bob_two"}, {"telegram_user_id": 801}]})
    done = await api.data("POST", "/suppressions", json={"handle": "bob_two", "telegram_user_id": "802"})
    assert (done["added"], done["already_listed"]) == (0, 1)
    assert [one["telegram_user_id"] for one in await listed(api, q="bob_two")] == [802]
    # A line that has another address already keeps it; what is new goes on a line of its own.
    done = await api.data("POST", "/suppressions", json={"handle": "bob_two", "telegram_user_id": 803})
    assert (done["added"], done["already_listed"]) == (0, 1)
    assert [one["handle"] for one in await listed(api, q="803")] == [None]
    # Two lines that turn out to be one person: nothing is new.
    done = await api.data("POST", "/suppressions", json={"handle": "bob_two", "telegram_user_id": 801})
    assert (done["added"], done["already_listed"]) == (0, 1)


async def test_people_are_counted_and_bad_ones_reported(api: Api) -> None:
    people = [
        {"handle": "carl_1"},
        {"handle": "x"},
        "y",
        {"reason": "z"},
        {"handle": "carl_1"},
        {"name": "n"},
        {"phone": []},
    ]
    done = await api.data("POST", "/suppressions", json={"people": people})
    assert [done[name] for name in ("received", "added", "already_listed", "rejected")] == [7, 1, 1, 5]
    errors = [(one["line"], one["column"], one["value"]) for one in done["errors"]]
    assert errors == [(2, "handle", "x"), (3, "", None), (4, "", None), (6, "name", "n"), (7, "", None)]


async def test_a_csv_file_is_taken(api: Api) -> None:
    file = (
        "\ufeffHandle;telegram_user_id;phone;reason\r\n@Dora_1;;;\r\n;9001;;opted out\r\n;;0049 151 9001;\r\n"
        ";;;\r\n@!;;;\r\n"
    )
    done = await api.data("POST", "/suppressions", content=file.encode(), headers=CSV)
    assert [done[name] for name in ("received", "added", "already_listed", "rejected")] == [5, 3, 0, 2]
    assert [(one["line"], one["column"]) for one in done["errors"]] == [(5, ""), (6, "handle")]
    assert [(one["handle"], one["reason"]) for one in await listed(api, q="dora_1")] == [("@dora_1", "manual")]
    assert [one["phone"] for one in await listed(api, q="+491519001")] == ["…9001"]


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        ([], "body"), ({}, "body"), ({"handle": "x"}, "handle"), ({"phone": "123"}, "phone"),
        ({"telegram_user_id": -1}, "telegram_user_id"), ({"telegram_user_id": 2**63}, "telegram_user_id"),
        ({"telegram_user_id": True}, "body"), ({"handle": "a_bc", "name": "x"}, "name"),
        ({"handle": "a\0bc"}, "handle"),
        ({"handle": "abcd", "reason": "x" * 256}, "reason"), ({"people": []}, "people"), ({"people": {}}, "people"),
        ({"people": [{}] * 10_001}, "people"), ({"people": [{}], "handle": "abcd"}, "handle"),
        ({"people": [{}], "x": 1}, "x"),
    ],
)  # fmt: skip
async def test_wrong_people_are_422(api: Api, body: Any, wrong: str) -> None:
    assert list(await api.errors("POST", "/suppressions", json=body)) == [wrong]


@pytest.mark.parametrize(
    "file",
    [b"", b"name\nx\n", b"handle,name\na,b\n", b"reason\nx\n", b'handle\n"x\n', b"handle\n\xff\n",
     b"handle\n" + b"abcde\n" * 10_001],
)  # fmt: skip
async def test_wrong_files_are_422_and_add_nobody(api: Api, file: bytes) -> None:
    before = (await api.call("GET", "/suppressions"))["meta"]["pagination"]["total"]
    assert list(await api.errors("POST", "/suppressions", content=file, headers=CSV)) == ["file"]
    assert (await api.call("GET", "/suppressions"))["meta"]["pagination"]["total"] == before


async def test_the_list_as_csv_is_whole_and_runs_nothing_in_a_spreadsheet(
    database: Database, provisioned_nats: NatsServer
) -> None:
    async with running_api(database, provisioned_nats.url, workspace="csv", email="csv@example.com") as other:
        people = [{"handle": f"person_{number:05d}", "reason": "=cmd()"} for number in range(4_999)]
        done = await other.data("POST", "/suppressions", json={"people": [*people, {"phone": "+4915155554444"}]})
        assert done["added"] == 5000
        answer = await other.client.get("/api/v1/suppressions", headers={"Accept": "text/csv"})
        assert answer.headers["Content-Type"].startswith("text/csv")
        rows = list(csv.DictReader(io.StringIO(answer.text)))
        assert len(rows) == 5000
        assert (rows[0]["handle"], rows[0]["reason"]) == ("person_00000", "'=cmd()")
        assert (rows[-1]["handle"], rows[-1]["phone"]) == ("", "…4444")
        assert "5155554444" not in answer.text
        page = await other.call("GET", "/suppressions", params={"per_page": 500, "page": 50})
        assert [row["handle"] for row in page["data"]][:1] == ["@person_04900"]
        assert page["meta"]["pagination"] == {"current_page": 50, "per_page": 100, "total": 5000, "last_page": 50}


async def test_a_cursor_goes_through_the_list(api: Api) -> None:
    await api.data("POST", "/suppressions", json={"people": [{"handle": f"page_{number}x"} for number in range(5)]})
    found: list[str] = []
    params: dict[str, Any] = {"q": "page_", "per_page": 2}
    while True:
        page = await api.call("GET", "/suppressions", params=params)
        found += [one["handle"] for one in page["data"]]
        if (cursor := page["meta"]["cursor"]["next"]) is None:
            break
        params["cursor"] = cursor
    assert found == [f"@page_{number}x" for number in range(5)]
    wrong: tuple[tuple[dict[str, Any], str], ...] = (
        ({"cursor": params["cursor"]}, "cursor"), ({**params, "page": 2}, "page"), ({"cursor": "x"}, "cursor"),
    )  # fmt: skip
    for asked, field in wrong:
        assert list(await api.errors("GET", "/suppressions", params=asked)) == [field]


async def test_delete_suppression(api: Api) -> None:
    """DELETE /suppressions/{id}: 204, then 404."""
    await api.data("POST", "/suppressions", json={"handle": "emil_1"})
    (row,) = await listed(api, q="emil_1")
    await api.call("DELETE", f"/suppressions/{row['id']}", status=204)
    assert await listed(api, q="emil_1") == []
    await api.call("DELETE", f"/suppressions/{row['id']}", status=404)


async def test_abilities_and_other_workspaces(api: Api, database: Database, provisioned_nats: NatsServer) -> None:
    await api.data("POST", "/suppressions", json={"handle": "fritz_1"})
    (row,) = await listed(api, q="fritz_1")
    async with api.bearing(await api.token_with("senders:read")) as reader:
        assert (await reader.get("/api/v1/suppressions")).status_code == 200
        assert (await reader.post("/api/v1/suppressions", json={"handle": "abcd"})).status_code == 403
        assert (await reader.delete(f"/api/v1/suppressions/{row['id']}")).status_code == 403
    async with api.bearing(await api.token_with("campaigns:write")) as writer:
        assert (await writer.get("/api/v1/suppressions")).status_code == 403
    async with running_api(database, provisioned_nats.url, workspace="second", email="second@example.com") as other:
        assert await listed(other) == []
        await other.call("DELETE", f"/suppressions/{row['id']}", status=404)
        assert (await other.data("POST", "/suppressions", json={"handle": "fritz_1"}))["added"] == 1


@pytest.mark.parametrize(
    ("contact", "peer", "person"),
    [
        ("handle\ngina_1\n", None, {"handle": "@Gina_1"}),
        ("telegram_user_id\n71\n", None, {"telegram_user_id": 71}),
        ("phone\n+4915171717\n", None, {"phone": "0049 151 71717"}),
        # Known to be the same person by what the account has met.
        ("handle\ngina_2\n", (72, "gina_2"), {"telegram_user_id": 72}),
        ("telegram_user_id\n73\n", (73, "gina_3"), {"handle": "gina_3"}),
    ],
)
async def test_who_is_suppressed_is_not_sent_what_is_queued_already(
    api: Api, contact: str, peer: tuple[int, str] | None, person: dict[str, Any]
) -> None:
    campaign = await api.campaign()
    account = campaign["telegram_account_id"]
    await api.import_csv(campaign["id"], contact)
    await api.data("POST", f"/campaigns/{campaign['id']}/start")
    (contact_id,) = [one["id"] for one in await api.data("GET", f"/campaigns/{campaign['id']}/senders")]
    if peer is not None:
        await api.sql(
            "insert into telegram.peers (account_id, workspace_id, access_hash, telegram_user_id, handle)"
            " values ($1, $2, 1, $3, $4)", account, api.workspace_id, *peer,
        )  # fmt: skip
    term = await api.sql("select telegram.take_term($1, $2, 'g')", api.workspace_id, account, role="relaygram_gateway")

    async def admitted() -> str:
        decision: str = await api.sql(
            "select decision from telegram.admit($1, $2, 9, $3, $4, $5, $6)",
            account, term, [uuid4()], [campaign["id"]], [contact_id], [0], role="relaygram_gateway",
        )  # fmt: skip
        return decision

    assert await admitted() == "send"
    assert (await api.data("POST", "/suppressions", json=person))["added"] == 1
    assert await admitted() == "suppressed"


async def test_ten_at_once_add_each_person_once(api: Api) -> None:
    body = {"people": [{"handle": f"crowd_{number}", "telegram_user_id": 5000 + number} for number in range(50)]}
    done = await asyncio.gather(*(api.data("POST", "/suppressions", json=body) for _ in range(10)))
    assert sum(one["added"] for one in done) == 50
    assert len(await listed(api, q="crowd_")) == 50


async def test_whatever_is_told_of_people_every_address_is_on_the_list_once(api: Api) -> None:
    choose = random.Random(7)  # noqa: S311 - the same people each time
    handles, user_ids = [f"mix_{number}" for number in range(12)], list(range(99_000, 99_012))
    phones = [f"+4915122220{number:03d}" for number in range(12)]
    seen: set[str | int] = set()
    for _ in range(6):
        people: list[dict[str, Any]] = [
            {
                name: choose.choice(values)
                for name, values in (("handle", handles), ("telegram_user_id", user_ids), ("phone", phones))
                if choose.random() < 0.5
            }
            or {"handle": handles[0]}
            for _ in range(20)
        ]
        done = await api.data("POST", "/suppressions", json={"people": people})
        assert done["added"] + done["already_listed"] == 20
        seen |= {value for person in people for value in person.values()}
    rows = await listed(api, q="mix_")
    for user_id in user_ids:
        rows += await listed(api, q=str(user_id))
    by_id = {row["id"]: row for row in rows}.values()
    assert sorted(row["handle"] for row in by_id if row["handle"]) == sorted(f"@{one}" for one in {*handles} & seen)
    assert sorted(row["telegram_user_id"] for row in by_id if row["telegram_user_id"]) == sorted({*user_ids} & seen)
    assert [len(await listed(api, q=phone)) for phone in phones] == [int(phone in seen) for phone in phones]


async def test_phones_rest_sealed(api: Api, database: Database) -> None:
    await api.data("POST", "/suppressions", json={"phone": "+4915188887777"})
    connection = await asyncpg.connect(database.dsn)
    try:
        rows = await connection.fetch("select s::text from control.suppressions s")
    finally:
        await connection.close()
    assert not any("88887777" in row[0] for row in rows)
