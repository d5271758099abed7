"""What exports are packed in: gzip when the client takes it, Parquet where its library is installed."""

import gzip
import io
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pyarrow
import pyarrow.parquet
import pytest

from relaygram_api.core.log_export import COLUMNS
from relaygram_local_stack.servers import NatsServer
from tests.api.exports import csv_rows, export, exported, fill, json_rows
from tests.api.log_rows import row, write_log
from tests.api.served import Process, served_api
from tests.api.streams import calling, make_campaign
from tests.api.support import Api
from tests.support.servers import Database

TEXTS = ("Hello", "", None, "=1+1", 'two\nlines "quoted"', "a\r\nb", "日本 👩‍👧", "NULL", "\\N", "1", "true")


@pytest.fixture(scope="module")
async def campaign(api: Api) -> int:
    made: int = (await api.campaign())["id"]
    moment = datetime(2026, 4, 21, 16, 2, 45, 120_000, tzinfo=UTC)
    sent = [row(made, "sent", body=text, sent_at=moment, telegram_message_id=2**53 + 1) for text in TEXTS]
    failed = [row(made, "failed", error_code="PEER_FLOOD", error_message=text) for text in ("=1+1", None)]
    await write_log(api, [*sent, *failed, row(made, "queued", step=None)])
    return made


async def coded(api: Api, campaign: int, output: str, accepted: str | None) -> httpx.Response:
    """The answer to a client that takes these codings, as it came."""
    request = api.client.build_request(
        "GET", f"/api/v1/campaigns/{campaign}/logs/export", params={"format": output},
        headers={"Accept-Encoding": accepted or "identity"},
    )  # fmt: skip
    if accepted is None:
        del request.headers["Accept-Encoding"]
    return await api.client.send(request, stream=True)


@pytest.mark.parametrize(
    "accepted", ["gzip", "GZip", "gzip, deflate, br", "br;q=1.0, gzip;q=0.5", "identity;q=0.5, gzip"]
)
@pytest.mark.parametrize("output", ["csv", "ndjson"])
async def test_a_client_that_takes_gzip_gets_it(api: Api, campaign: int, output: str, accepted: str) -> None:
    answer = await coded(api, campaign, output, accepted)
    raw = b"".join([piece async for piece in answer.aiter_raw()])
    assert answer.headers["Content-Encoding"] == "gzip"
    assert answer.headers["Vary"] == "Accept-Encoding"
    plain = await coded(api, campaign, output, None)
    assert gzip.decompress(raw) == b"".join([piece async for piece in plain.aiter_raw()])


@pytest.mark.parametrize(
    "accepted", [None, "identity", "", "br", "gzip;q=0", "gzip;q=0.0, br", "gzip;q=0.2, identity;q=0.8", "gzip;q=x"]
)
async def test_others_get_the_bytes_as_they_are(api: Api, campaign: int, accepted: str | None) -> None:
    answer = await coded(api, campaign, "csv", accepted)
    raw = b"".join([piece async for piece in answer.aiter_raw()])
    assert "Content-Encoding" not in answer.headers
    assert answer.headers["Vary"] == "Accept-Encoding"
    assert raw.startswith(b"id,campaign_id,")


async def test_a_long_log_is_whole_in_gzip(api: Api) -> None:
    campaign = (await api.campaign())["id"]
    await fill(api.database, api.workspace_id, campaign, last=30_000)
    rows = await exported(api, campaign)  # httpx asks for gzip
    assert [one["telegram_message_id"] for one in rows] == [str(number) for number in range(1, 30_001)]


def parquet_table(content: bytes) -> Any:
    return pyarrow.parquet.read_table(io.BytesIO(content))


async def test_parquet_has_the_rows_of_the_logs_endpoint(api: Api, campaign: int) -> None:
    answer = await export(api, campaign, "parquet")
    assert answer.headers["Content-Type"] == "application/vnd.apache.parquet"
    assert "Content-Encoding" not in answer.headers  # it is compressed as it is
    found = [as_shown(one) for one in parquet_table(answer.content).to_pylist()]
    assert found == await exported(api, campaign)


def as_shown(found: dict[str, Any]) -> dict[str, Any]:
    """A row of the table as the logs endpoint shows it."""
    error = None if found["error_code"] is None else {"code": found["error_code"], "message": found["error_message"]}
    flat = {
        name: f"{value:%Y-%m-%dT%H:%M:%S.%f}Z" if isinstance(value, datetime) else value
        for name, value in found.items()
    }
    return {**{name: value for name, value in flat.items() if not name.startswith("error_")}, "error": error}


async def test_parquet_has_types_and_nulls(api: Api, campaign: int) -> None:
    schema = parquet_table((await export(api, campaign, "parquet")).content).schema
    assert tuple(schema.names) == COLUMNS
    assert schema.field("id").type == schema.field("revision").type == pyarrow.int64()
    assert schema.field("attempts").type == pyarrow.int32()
    assert schema.field("body").type == schema.field("telegram_message_id").type == pyarrow.string()
    assert schema.field("created_at").type == pyarrow.timestamp("us", tz="UTC")
    assert all(schema.field(name).nullable for name in COLUMNS)


async def test_parquet_without_rows_is_a_table_without_rows(api: Api, campaign: int) -> None:
    table = parquet_table((await export(api, campaign, "parquet", code="NOBODY_HAS_IT")).content)
    assert (table.num_rows, tuple(table.schema.names)) == (0, COLUMNS)


async def test_a_long_log_is_parquet_in_few_row_groups(api: Api) -> None:
    campaign = (await api.campaign())["id"]
    await fill(api.database, api.workspace_id, campaign, last=60_000)
    file = pyarrow.parquet.ParquetFile(io.BytesIO((await export(api, campaign, "parquet")).content))
    assert file.metadata.num_row_groups <= 5
    assert file.read(["telegram_message_id"])[0].to_pylist() == [str(number) for number in range(1, 60_001)]


@pytest.fixture(scope="module")
async def without_parquet(
    database: Database, provisioned_nats: NatsServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Process]:
    """An api whose Python finds no pyarrow."""
    folder: Path = tmp_path_factory.mktemp("without")
    (folder / "sitecustomize.py").write_text("import sys\nsys.modules['pyarrow'] = None\n")
    async with served_api(database, provisioned_nats.url, PYTHONPATH=str(folder)) as running:
        yield running


async def test_without_the_extra_the_format_is_refused_and_the_others_work(without_parquet: Process) -> None:
    async with calling(without_parquet) as client:
        campaign = await make_campaign(client)
        path = f"/campaigns/{campaign}/logs/export"
        refused = await client.get(path, params={"format": "parquet"})
        assert refused.status_code == 422
        assert refused.json()["code"] == "validation_failed"
        [problem] = refused.json()["errors"]["format"]
        assert "relaygram-api[parquet]" in problem
        assert csv_rows((await client.get(path)).text) == []
        assert json_rows((await client.get(path, params={"format": "ndjson"})).text) == []
