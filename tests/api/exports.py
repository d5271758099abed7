"""Exports of the log as tests read them, and logs that are long enough to be read in many parts."""

import csv
import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from tests.api.served import Process
from tests.api.streams import execute, make_campaign, metric
from tests.api.support import Api
from tests.support.servers import Database
from tests.support.waiting import eventually

LONG_ROWS = 20_000
_LONG_BODY = 2_000  # 50 MB in all: more than connections hold

_PER_PAGE = 200
_FILL = """
insert into delivery.messages (campaign_id, job_id, id, position, revision, created_at, workspace_id, channel, state,
    rank, attempt, body, queued_at, sent_at, telegram_message_id)
select $1, gen_random_uuid(), s.last_id + n - $3 + 1, n, s.last_revision + n - $3 + 1,
       s.at + (n - $3 + 1) * interval '1 us', $2, 'telegram', 'sent', 4, 1, n || x.text, now(), s.at, n
  from generate_series($3::bigint, $4::bigint) n
 cross join lateral (select coalesce(string_agg(encode(sha512((n::text || i)::bytea), 'hex'), ''), '') as text
                       from generate_series(1, ($5::int + 64) / 128) i) x
 cross join (select last_id, last_revision, greatest(last_created_at, now()) as at from delivery.sequence) s"""
_COUNT = """
insert into delivery.campaign_counters
    (campaign_id, workspace_id, last_position, sent, retained_sent, last_revision)
select $1, $2, $3, $3, $3, max(revision) from delivery.messages where campaign_id = $1
    on conflict (campaign_id) do update set last_position = excluded.last_position, sent = excluded.sent,
       retained_sent = excluded.retained_sent, last_revision = excluded.last_revision"""
_MOVE_ON = """
update delivery.sequence set (last_id, last_revision, last_created_at) =
    (select max(id), max(revision), max(created_at) from delivery.messages)"""


async def export(api: Api, campaign_id: int, output: str, *, answered: int = 200, **wanted: Any) -> httpx.Response:
    """The answer, which must have this status."""
    answer = await api.client.get(
        f"/api/v1/campaigns/{campaign_id}/logs/export", params={"format": output, **wanted}, timeout=60
    )
    assert answer.status_code == answered, answer.text[:2000]
    return answer


async def exported(api: Api, campaign_id: int, **wanted: Any) -> list[dict[str, Any]]:
    """The rows, as JSON has them."""
    return json_rows((await export(api, campaign_id, "ndjson", **wanted)).text)


async def shown(api: Api, campaign_id: int, **wanted: Any) -> list[dict[str, Any]]:
    """The same rows, as the logs endpoint shows them on all its pages."""
    rows: list[dict[str, Any]] = []
    cursor: dict[str, Any] = {}
    while True:
        asked = {"per_page": _PER_PAGE, **wanted, **cursor}
        page = await api.call("GET", f"/campaigns/{campaign_id}/logs", params=asked)
        rows += page["data"]
        if (following := page["meta"]["cursor"]["next"]) is None:
            return rows
        cursor = {"cursor": following}


def csv_rows(text: str) -> list[dict[str, str]]:
    """The rows of a CSV file, which must be rectangular."""
    header, *rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    return [dict(zip(header, row, strict=True)) for row in rows]


def json_rows(text: str) -> list[dict[str, Any]]:
    """The rows of a file with a JSON text a line."""
    *lines, rest = text.split("\n")
    assert rest == ""
    return [json.loads(line) for line in lines]


async def fill(
    database: Database, workspace_id: int, campaign_id: int, *, first: int = 1, last: int, body: int = 100
) -> None:
    """These positions of a campaign's log, with texts about so long that no compression makes much smaller."""
    await execute(database, _FILL, campaign_id, workspace_id, first, last, body)
    await execute(database, _COUNT, campaign_id, workspace_id, last)
    await execute(database, _MOVE_ON)


async def long_log(client: httpx.AsyncClient, database: Database) -> int:
    """A new campaign with LONG_ROWS rows."""
    workspace = (await client.get("/me")).raise_for_status().json()["data"]["workspace"]["id"]
    campaign = await make_campaign(client)
    await fill(database, workspace, campaign, last=LONG_ROWS, body=_LONG_BODY)
    return campaign


def positions(text: str) -> list[int]:
    """Of rows made by fill, as JSON lines."""
    return [int(one["telegram_message_id"]) for one in json_rows(text)]


@asynccontextmanager
async def exporting(
    client: httpx.AsyncClient, campaign: int, output: str = "ndjson", *, coding: str = "identity"
) -> AsyncIterator[httpx.Response]:
    """An export that has begun; as it is, since gzip makes next to nothing of these texts."""
    path, headers = f"/campaigns/{campaign}/logs/export", {"Accept-Encoding": coding}
    async with client.stream("GET", path, params={"format": output}, headers=headers) as answer:
        if answer.status_code != 200:
            await answer.aread()
        assert answer.status_code == 200, answer.text
        yield answer


async def nothing_is_under_way(process: Process) -> None:
    """All exports have ended, also those whose clients left."""

    async def none() -> bool:
        return await metric(process, "relaygram_log_exports{") + await metric(process, "relaygram_log_exports ") == 0

    await eventually(none)
