"""Exports of the log: the rows of the logs endpoint, no more, no fewer, to the byte."""

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from relaygram_api.core.log_export import COLUMNS
from relaygram_api.core.spreadsheets import harmless
from relaygram_api.log_view import shown_row
from relaygram_common import identity
from tests.api.exports import csv_rows, export, exported, shown
from tests.api.log_rows import row, write_log
from tests.api.support import Api

BEGAN = datetime(2026, 4, 21, 16, 2, 45, tzinfo=UTC)
BODIES = (
    "Hello", "", None, "=SUM(A1:A9)", "+49 151", "-1", "@jane", "\tTab", "\rReturn", "'quoted'", 'She said "no"',
    "two\nlines", "two\r\nlines", "back\\slash \\N \\.", "a,b;c", "\\.", "ünïcödé", "日本語", " blank ", "null",
    "👩‍👩‍👧‍👦 𝕏 \U0010ffff", "\x01\x02\x1f\x7f\u2028\u00a0", "$1 {0} %s %", '""', "\ufeffmark",
)  # fmt: skip


def _rows(campaign: int) -> list[dict[str, Any]]:
    """Each kind of row and text."""
    rows = [
        row(campaign, "sent", body=body, sender_id=number, telegram_message_id=2**53 + number, step=number % 3)
        for number, body in enumerate(BODIES, start=1)
    ]
    for number, moment in enumerate(
        (BEGAN, BEGAN + timedelta(microseconds=120_000), BEGAN + timedelta(microseconds=1))
    ):
        rows.append(row(campaign, "sent", body=f"at {number}", sent_at=moment, read_at=moment, replied_at=moment))
    rows += [
        row(campaign, "failed", error_code="PEER_FLOOD", error_message=message, error_permanent=False)
        for message in (None, "", "=1+1", 'it\'s "closed"\n', "-")
    ]
    rows.append(row(campaign, "failed", error_code="=CODE", error_message="odd"))
    rows.append(row(campaign, "queued", step=None, triggered_by_message_id=-7))
    rows.append(row(campaign, "discarded", triggered_by_message_id=2**63 - 1))
    return rows


@pytest.fixture(scope="module")
async def campaign(api: Api) -> int:
    """A campaign with a log of all kinds of rows."""
    made: int = (await api.campaign())["id"]
    await write_log(api, _rows(made))
    return made


async def test_ndjson_has_the_rows_of_the_logs_endpoint(api: Api, campaign: int) -> None:
    rows = await shown(api, campaign)
    assert len(rows) == len(_rows(campaign))
    assert await exported(api, campaign) == rows


async def test_ndjson_is_to_the_byte_what_the_endpoint_writes(api: Api, campaign: int) -> None:
    async with api.parts.database.workspace(api.workspace_id) as connection:
        rows = await connection.fetch(
            "select * from delivery.log_rows where campaign_id = $1 order by position", campaign
        )
    expected = b"".join(orjson.dumps(shown_row(one), option=orjson.OPT_UTC_Z) + b"\n" for one in rows)
    answer = await export(api, campaign, "ndjson")
    assert answer.content == expected


async def test_csv_has_the_same_rows_in_columns(api: Api, campaign: int) -> None:
    answer = await export(api, campaign, "csv")
    found = csv_rows(answer.text)
    assert [as_csv(one) for one in await shown(api, campaign)] == found
    assert tuple(found[0]) == COLUMNS


def as_csv(shown: dict[str, Any]) -> dict[str, str]:
    """A row of the logs endpoint in columns, with texts defused as elsewhere in the api."""
    error = shown["error"] or {"code": None, "message": None}
    flat = {**shown, "error_code": error["code"], "error_message": error["message"]}
    texts = {"body", "error_code", "error_message"}
    return {
        name: "" if flat[name] is None else harmless(flat[name]) if name in texts else str(flat[name])
        for name in COLUMNS
    }


@pytest.mark.parametrize("output", ["csv", "ndjson", "parquet"])
async def test_it_is_a_file_to_be_saved_and_not_to_be_kept(api: Api, campaign: int, output: str) -> None:
    answer = await export(api, campaign, output)
    assert answer.headers["Content-Disposition"] == f'attachment; filename="campaign-{campaign}-log.{output}"'
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Request-Id"]


async def test_csv_is_the_format_where_none_is_asked_for(api: Api, campaign: int) -> None:
    answer = await api.client.get(f"/api/v1/campaigns/{campaign}/logs/export")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.text.startswith(",".join(COLUMNS) + "\n")


@pytest.mark.parametrize(
    "wanted",
    [
        {"status": "sent"}, {"status": "failed"}, {"status": "pending"}, {"sender_id": 3}, {"code": "PEER_FLOOD"},
        {"code": "' or true --"}, {"q": "LINES"}, {"q": "%"}, {"q": "\\"}, {"q": "👩"}, {"q": "$1"}, {"q": "'"},
        {"status": "failed", "code": "PEER_FLOOD"}, {"since_id": 0}, {"sender_id": 2**62},
    ],
)  # fmt: skip
async def test_filters_are_those_of_the_logs_endpoint(api: Api, campaign: int, wanted: dict[str, Any]) -> None:
    assert await exported(api, campaign, **wanted) == await shown(api, campaign, **wanted)


async def test_it_begins_after_a_row_or_a_moment(api: Api, campaign: int) -> None:
    rows = await shown(api, campaign)
    assert await exported(api, campaign, since_id=rows[4]["id"]) == rows[5:]
    assert await exported(api, campaign, since=rows[9]["created_at"]) == rows[10:]
    assert await exported(api, campaign, since=rows[9]["created_at"], since_id=rows[12]["id"]) == rows[13:]
    assert await exported(api, campaign, since_id=rows[-1]["id"]) == []
    assert await exported(api, campaign, since="2100-01-01T00:00:00Z") == []


@pytest.mark.parametrize(("output", "empty"), [("csv", ",".join(COLUMNS) + "\n"), ("ndjson", "")])
async def test_a_log_without_rows_is_a_file_without_rows(api: Api, output: str, empty: str) -> None:
    campaign = await api.campaign()
    assert (await export(api, campaign["id"], output)).text == empty


async def test_a_deleted_campaigns_log_can_be_exported(api: Api) -> None:
    campaign = (await api.campaign())["id"]
    await write_log(api, [row(campaign, "sent", body="Hello")])
    await api.call("DELETE", f"/campaigns/{campaign}", status=204)
    assert [one["body"] for one in await exported(api, campaign)] == ["Hello"]


async def test_nobody_exports_another_workspaces_log(api: Api, campaign: int) -> None:
    await identity.bootstrap(api.database.dsn, workspace="exports", email="exports@example.com")
    token = await identity.create_token(api.database.dsn, "exports@example.com", "t", ["*"])
    async with api.bearing(token) as client:
        answer = await client.get(f"/api/v1/campaigns/{campaign}/logs/export")
    assert answer.status_code == 404
    assert answer.json()["code"] == "not_found"


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("format", "xlsx"), ("status", "read"), ("since", "yesterday"), ("since_id", "-1"), ("sender_id", "x"),
        ("q", "\0"), ("page", "2"), ("per_page", "50"), ("cursor", "abc"), ("order", "desc"), ("changed_since", "5"),
    ],
)  # fmt: skip
async def test_wrong_parameters_are_named(api: Api, campaign: int, parameter: str, value: str) -> None:
    errors = await api.errors("GET", f"/campaigns/{campaign}/logs/export", params={parameter: value})
    assert list(errors) == [parameter]


async def test_an_unknown_campaign_is_404_before_its_parameters_are_looked_at(api: Api) -> None:
    for parameters in ({}, {"format": "xlsx"}, {"page": 2}):
        await api.call("GET", "/campaigns/999999999/logs/export", status=404, params=parameters)


async def test_only_get(api: Api, campaign: int) -> None:
    for method in ("HEAD", "POST"):
        answer = await api.client.request(method, f"/api/v1/campaigns/{campaign}/logs/export")
        assert answer.status_code == 405
