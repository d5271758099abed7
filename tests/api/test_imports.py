"""Importing contacts: every line accounted for, nobody doubled, whatever is thrown at it."""

import asyncio
import csv
import io
from collections.abc import AsyncIterator
from typing import Any

import pytest

from relaygram_api.adapters import pg_imports
from relaygram_common.security.sealing import Sealer
from relaygram_local_stack.servers import NatsServer
from tests.api.support import KEY, Api, running_api
from tests.support.servers import Database
from tests.support.waiting import eventually

CSV = {"Content-Type": "text/csv; charset=utf-8"}


async def errors_of(api: Api, import_id: int) -> list[tuple[int, str, str | None]]:
    rows = await api.data("GET", f"/imports/{import_id}/errors", params={"per_page": 1000})
    return [(row["line"], row["column"], row["value"]) for row in rows]


async def test_every_line_is_accepted_a_duplicate_or_rejected_with_a_reason(api: Api) -> None:
    campaign = await api.campaign()
    file = (
        "\ufeffhandle;phone;telegram_user_id;first_name;tags;city\r\n"
        "@Jane_Doe;;;Jane;vip|new;Zürich\r\n"
        "https://t.me/jane_doe;;;Jane again;;\r\n"
        ";+49 151 1234567;;Anna;;\r\n"
        "annas_handle;0049151 1234567;;the same phone;;\r\n"
        ";;42;Ida;;\r\n"
        "@1;;;bad handle;;\r\n"
        ";;;nobody;;\r\n"
        "too;few\r\n"
    )
    done = await api.import_csv(campaign["id"], file)
    counts = ("received", "accepted", "duplicates", "rejected")
    assert [done[count] for count in counts] == [8, 3, 2, 3]
    assert await errors_of(api, done["id"]) == [(7, "handle", "@1"), (8, "", None), (9, "", None)]
    people = await api.data("GET", f"/campaigns/{campaign['id']}/senders")
    assert [(one["handle"], one["first_name"], one["tags"]) for one in people] == [
        ("@jane_doe", "Jane", ["vip", "new"]), (None, "Anna", []), (None, "Ida", []),
    ]  # fmt: skip
    stored = await api.sql("select columns from control.contacts where id = $1", people[0]["id"])
    assert stored == '{"city": "Zürich"}'
    found = await api.data("GET", f"/campaigns/{campaign['id']}")
    assert found["total_contacts"] == 3


async def test_phones_rest_sealed_and_hashed(api: Api) -> None:
    campaign = await api.campaign()
    await api.import_csv(campaign["id"], "phone\n+4915199887766\n")
    sealer = Sealer(KEY)
    sealed = await api.sql("select phone_sealed from control.contacts where campaign_id = $1", campaign["id"])
    assert sealer.open(sealed, owner=f"contact-phone:{campaign['id']}") == "+4915199887766"
    hashed = await api.sql("select phone_hash from control.contacts where campaign_id = $1", campaign["id"])
    assert hashed == sealer.fingerprint("+4915199887766")
    assert "4915199887766" not in (await api.client.get(f"/api/v1/campaigns/{campaign['id']}/senders")).text


async def test_json_imports_report_by_number(api: Api) -> None:
    campaign = await api.campaign()
    contacts: list[Any] = [
        {"handle": "@jane", "tags": ["a", "b"], "age": 7},
        "x",
        {"telegram_user_id": 5},
        {"handle": "?"},
    ]
    started = await api.data("POST", f"/campaigns/{campaign['id']}/contacts", status=202, json={"contacts": contacts})
    done = await api.import_ends(started["id"])
    assert (done["received"], done["accepted"], done["rejected"]) == (4, 2, 2)
    assert await errors_of(api, done["id"]) == [(2, "", None), (4, "handle", "?")]


@pytest.mark.parametrize(
    ("body", "wrong"),
    [({}, "contacts"), ({"contacts": []}, "contacts"), ({"contacts": {}}, "contacts"), ([], "body"),
     ({"contacts": [{}] * 10_001}, "contacts"), ({"contacts": [{}], "extra": 1}, "extra"),
     ({"contacts": [{"handle": "a\0b"}]}, "contacts.0.handle")],
)  # fmt: skip
async def test_json_of_another_shape_is_422(api: Api, body: Any, wrong: str) -> None:
    campaign = await api.campaign()
    assert list(await api.errors("POST", f"/campaigns/{campaign['id']}/contacts", json=body)) == [wrong]


@pytest.mark.parametrize(
    "file", [b"", b"\n", b"name\nJane\n", b"\xff\xfeh\x00", b"handle,handle\n", b'handle,"x\n', b"x" * 2_000_000]
)
async def test_a_header_that_can_not_be_read_is_422_at_once(api: Api, file: bytes) -> None:
    campaign = await api.campaign()
    path = f"/campaigns/{campaign['id']}/contacts"
    assert list(await api.errors("POST", path, content=file, headers=CSV)) == ["file"]
    assert await api.sql("select count(*) from control.imports where campaign_id = $1", campaign["id"]) == 0


@pytest.mark.parametrize(
    ("file", "message"),
    [
        (b'handle\njane\n"john\nanna\n', "line 3: a quote"),
        (b"handle\njane\n\xff\n", "not UTF-8"),
    ],
)
async def test_a_file_that_breaks_off_in_its_middle_fails_and_adds_nobody(api: Api, file: bytes, message: str) -> None:
    campaign = await api.campaign()
    failed = await api.import_csv(campaign["id"], file, ends="failed")
    assert message in failed["message"]
    assert (await api.call("GET", f"/campaigns/{campaign['id']}/senders"))["meta"]["pagination"]["total"] == 0
    assert await api.sql("select count(*) from control.import_chunks where import_id = $1", failed["id"]) == 0


async def test_a_file_with_only_a_header_adds_nobody(api: Api) -> None:
    campaign = await api.campaign()
    done = await api.import_csv(campaign["id"], "handle")
    assert [done[count] for count in ("received", "accepted", "duplicates", "rejected")] == [0, 0, 0, 0]


async def test_too_large_files_are_413(api: Api) -> None:
    campaign = await api.campaign()
    path = f"/api/v1/campaigns/{campaign['id']}/contacts"
    declared = {**CSV, "Content-Length": str(api.parts.settings.max_csv_bytes + 1)}
    assert (await api.client.post(path, content=b"handle\n", headers=declared)).status_code == 413
    refused = await api.client.post(path, json={"contacts": [{"handle": "x" * 200}] * 9000})
    assert refused.status_code == 413


async def test_bounds_are_kept_while_a_file_streams_in(database: Database, provisioned_nats: NatsServer) -> None:
    bounds: dict[str, Any] = {"max_import_lines": 10, "max_csv_bytes": 2_000_000, "upload_idle_seconds": 0.3}
    async with running_api(database, provisioned_nats.url, **bounds) as small:
        campaign = await small.campaign()
        path = f"/campaigns/{campaign['id']}/contacts"
        for lines in ("person_1\n" * 11, "person_1\n" * 10 + "person_1"):
            refused = await small.call("POST", path, status=413, content=f"handle\n{lines}".encode(), headers=CSV)
            assert refused["message"] == "The file has more than 10 lines."
        for lines in ("person_1\n" * 10, "person_1\n" * 9 + "person_1"):
            assert (await small.import_csv(campaign["id"], f"handle\n{lines}"))["received"] == 10
        contacts = {"contacts": [{"handle": "person_1"}] * 11}
        started = await small.data("POST", path, status=202, json=contacts)
        assert (await small.import_ends(started["id"], "failed"))["message"] == "more than 10 lines"

        async def one_by_one() -> AsyncIterator[bytes]:
            yield b"handle\n"
            for _ in range(12):
                yield b"person_1\n"

        refused = await small.call("POST", path, status=413, content=one_by_one(), headers=CSV)
        assert refused["code"] == "too_large"

        async def too_much() -> AsyncIterator[bytes]:
            for _ in range(30):
                yield b"handle\n" * 10_000

        refused = await small.client.post(f"/api/v1{path}", content=too_much(), headers=CSV)
        assert refused.status_code == 413

        async def standing_still() -> AsyncIterator[bytes]:
            yield b"handle\nperson_1\n"
            await asyncio.sleep(1)

        refused = await small.client.post(f"/api/v1{path}", content=standing_still(), headers=CSV)
        assert refused.status_code == 408
        left = await small.sql("select count(*) from control.import_chunks")
        open_imports = await small.sql("select count(*) from control.imports where status in ('queued', 'running')")
        assert (left, open_imports) == (0, 0)


async def test_an_ended_campaign_takes_no_more_contacts(api: Api) -> None:
    campaign = await api.broadcast()
    path = f"/campaigns/{campaign['id']}"
    await api.call("POST", f"{path}/stop")
    refused = await api.call("POST", f"{path}/contacts", status=409, content=b"handle\nx\n", headers=CSV)
    assert "stopped" in refused["message"]


async def test_into_a_running_campaign_people_are_added_and_the_expansion_is_reopened(api: Api) -> None:
    campaign = await api.broadcast()
    await api.call("POST", f"/campaigns/{campaign['id']}/start")
    await api.import_csv(campaign["id"], "handle\nlate_comer\nperson_0000\n")
    generation = await api.sql("select contacts_generation from control.campaigns where id = $1", campaign["id"])
    assert generation == 2
    assert (await api.data("GET", f"/campaigns/{campaign['id']}"))["total_contacts"] == 4


async def test_imports_into_one_campaign_at_once_add_each_person_once(api: Api) -> None:
    campaign = await api.campaign()
    file = "handle\n" + "".join(f"person_{number:04d}\n" for number in range(500))
    done = await asyncio.gather(*(api.import_csv(campaign["id"], file) for _ in range(4)))
    assert sorted(one["accepted"] for one in done) == [0, 0, 0, 500]
    assert sum(one["duplicates"] for one in done) == 1500
    assert (await api.data("GET", f"/campaigns/{campaign['id']}"))["total_contacts"] == 500


async def test_the_report_as_csv_is_whole_and_runs_nothing_in_a_spreadsheet(api: Api) -> None:
    campaign = await api.campaign()
    lines = "".join(f"=cmd|{number}\n" for number in range(4500))
    done = await api.import_csv(campaign["id"], f"handle\n{lines}")
    assert done["rejected"] == 4500
    answer = await api.client.get(f"/api/v1/imports/{done['id']}/errors", params={"format": "csv"})
    assert answer.headers["Content-Type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert len(rows) == 4500
    same = await api.client.get(f"/api/v1/imports/{done['id']}/errors", headers={"Accept": "text/csv"})
    assert same.text == answer.text
    assert rows[0] == {"line": "2", "column": "handle", "value": "'=cmd|0", "reason": rows[0]["reason"]}
    page = await api.call("GET", f"/imports/{done['id']}/errors", params={"per_page": 10, "page": 450})
    assert [row["line"] for row in page["data"]] == list(range(4492, 4502))
    assert page["meta"]["pagination"] == {"current_page": 450, "per_page": 10, "total": 4500, "last_page": 450}


async def test_a_worker_that_died_is_replaced_and_nobody_is_doubled(api: Api) -> None:
    campaign = await api.campaign()
    database = api.parts.database
    async with database.workspace(api.workspace_id) as connection:
        import_id = await pg_imports.create(connection, api.workspace_id, campaign["id"], "csv", upload_seconds=60)
        await pg_imports.add_chunk(connection, api.workspace_id, import_id, 0, b"handle\njane\n", upload_seconds=60)
        await pg_imports.uploaded(connection, import_id)
        await connection.execute(
            "update control.imports set status = 'running', lease_until = now() + interval '1 s' where id = $1",
            import_id,
        )
    done = await api.import_ends(import_id)
    assert done["accepted"] == 1
    # The first worker wakes up again: it finds the import closed and adds nothing.
    async with pg_imports.adding(database, api.parts.sealer, api.workspace_id, campaign["id"], import_id) as adding:
        assert adding is None
    assert (await api.data("GET", f"/campaigns/{campaign['id']}"))["total_contacts"] == 1


async def test_an_upload_that_broke_off_ends_as_failed(api: Api) -> None:
    campaign = await api.campaign()
    async with api.parts.database.workspace(api.workspace_id) as connection:
        import_id = await pg_imports.create(connection, api.workspace_id, campaign["id"], "csv", upload_seconds=0)
    failed = await api.import_ends(import_id, "failed")
    assert failed["message"] == "the upload was broken off"


async def test_pausing_does_not_wait_for_an_import(api: Api) -> None:
    campaign = await api.broadcast()
    await api.call("POST", f"/campaigns/{campaign['id']}/start")
    async with api.parts.database.workspace(api.workspace_id) as connection:
        import_id = await pg_imports.create(connection, api.workspace_id, campaign["id"], "csv", upload_seconds=60)
        await connection.execute("update control.imports set status = 'running' where id = $1", import_id)
    async with pg_imports.adding(
        api.parts.database, api.parts.sealer, api.workspace_id, campaign["id"], import_id
    ) as adding:
        assert adding is not None
        # The new rows refer to the campaign's row, and thereby lock it a little.
        await adding.take(range(2, 3), b"2\t7\t\\N\t\\N\t\\N\t\\N\t\\N\t{}\t\\N\t{}\n", [])
        async with asyncio.timeout(2):
            paused = await api.data("POST", f"/campaigns/{campaign['id']}/pause")
        assert paused["status"] == "paused"


async def test_two_apis_import_into_one_campaign_one_after_the_other(
    api: Api, database: Database, provisioned_nats: NatsServer
) -> None:
    campaign = await api.campaign()
    async with running_api(database, provisioned_nats.url) as other:
        file = "handle,first_name\n" + "".join(f"twin_{number:05d},N{number}\n" for number in range(5000))
        done = await asyncio.gather(*(one.import_csv(campaign["id"], file) for one in (api, other) * 2))
    assert sorted(one["accepted"] for one in done) == [0, 0, 0, 5000]
    assert all(one["received"] == one["accepted"] + one["duplicates"] + one["rejected"] for one in done)
    assert (await api.data("GET", f"/campaigns/{campaign['id']}"))["total_contacts"] == 5000


@pytest.mark.parametrize(
    ("file", "accepted", "errors"),
    [
        (b'"Handle", First_Name\r\njane_1,"a ""quoted"", name"\r\n', 1, []),
        (b'HANDLE;notes\njane_2;"two\nlines; one field"\njane_3;x\n', 2, []),
        ("handle,first_name\njane_4,مرحبا e\u0301 \u202eevil\n".encode(), 1, []),
        (b"handle,first_name\njane_5,a\0b\n", 0, [(2, "first_name")]),
        (b"handle,first_name\njane_6," + b"x" * 256 + b"\n", 0, [(2, "first_name")]),
        (b"handle,notes\njane_7," + b"x" * 4097 + b"\n", 0, [(2, "notes")]),
        (b"handle,notes\njane_8," + b"x" * 4096 + b"\n", 1, []),
        (b"handle,born\njane_9,10000-01-01T00:00:00Z\n", 1, []),
        (b"telegram_user_id\n9223372036854775807\n9223372036854775808\n0\n-5\n1e5\n", 1,
         [(3, "telegram_user_id"), (4, "telegram_user_id"), (5, "telegram_user_id"), (6, "telegram_user_id")]),
        (b"handle,time_zone\njane_10,Europe/Berlin\njane_11,Mars/Base\n", 1, [(3, "time_zone")]),
        (f"handle,tags\njane_12,a|b|a||\njane_13,{'|'.join(map(str, range(101)))}\n".encode(), 1, [(3, "tags")]),
        (b"handle\n\n\njane_14\n\n", 1, []),
        (b"handle,phone\n@1,12\n", 0, [(2, "handle"), (2, "phone")]),
    ],
)  # fmt: skip
async def test_files_as_people_make_them(api: Api, file: bytes, accepted: int, errors: list[tuple[int, str]]) -> None:
    campaign = await api.campaign()
    done = await api.import_csv(campaign["id"], file)
    assert done["accepted"] == accepted
    assert [(line, column) for line, column, _ in await errors_of(api, done["id"])] == errors
    assert done["received"] == done["accepted"] + done["duplicates"] + done["rejected"]


async def test_suppressed_people_are_contacts_all_the_same(api: Api) -> None:
    await api.data("POST", "/suppressions", json={"handle": "never_again"})
    campaign = await api.campaign()
    assert (await api.import_csv(campaign["id"], "handle\nnever_again\n"))["accepted"] == 1


async def test_get_imports_and_their_errors(api: Api, database: Database, provisioned_nats: NatsServer) -> None:
    """GET /imports/{id} and its errors: another workspace's are 404, and each asks for campaigns:read."""
    campaign = await api.campaign()
    done = await api.import_csv(campaign["id"], "handle\n@1\n")
    assert {"id", "status", "received", "accepted", "duplicates", "rejected"} <= set(done)
    (error,) = await api.data("GET", f"/imports/{done['id']}/errors")
    assert set(error) == {"line", "column", "value", "reason"}
    async with running_api(database, provisioned_nats.url, workspace="second", email="second@example.com") as other:
        for path in (
            f"/imports/{done['id']}",
            f"/imports/{done['id']}/errors",
            f"/imports/{done['id']}/errors?format=csv",
        ):
            await other.call("GET", path, status=404)
    async with api.bearing(await api.token_with("campaigns:write")) as writer:
        assert (await writer.get(f"/api/v1/imports/{done['id']}")).status_code == 403


async def test_a_hundred_thousand_lines_are_worked_off(api: Api) -> None:
    campaign = await api.campaign()
    lines = "".join(f"person_{number:06d},P{number},Berlin\n" for number in range(100_000))
    started = await api.data(
        "POST", f"/campaigns/{campaign['id']}/contacts", status=202,
        content=f"handle,first_name,city\n{lines}".encode(), headers=CSV,
    )  # fmt: skip

    async def ended() -> Any:
        found = await api.data("GET", f"/imports/{started['id']}")
        return found if found["status"] == "completed" else None

    done = await eventually(ended, 60)
    assert (done["received"], done["accepted"]) == (100_000, 100_000)
