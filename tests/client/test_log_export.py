"""A log as a file: whole, or not there."""

import asyncio
import csv
import gzip
import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from relaygram_client import InvalidError, NoAnswerError, NotFoundError, Relaygram
from tests.api.log_rows import row, write_log
from tests.api.served import served_here
from tests.api.support import Api


@pytest.fixture(scope="module")
async def relaygram(api: Api) -> AsyncIterator[Relaygram]:
    """Over sockets, on which an answer comes in pieces."""
    async with served_here(api) as process, Relaygram(process.url, process.token) as client:
        yield client


async def a_log(api: Api, rows: int = 5) -> int:
    campaign: int = (await api.campaign())["id"]
    await write_log(
        api, [row(campaign, "failed" if n % 5 == 4 else "sent", body=f'A "text",\n{n}') for n in range(rows)]
    )
    return campaign


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def test_a_file_of_each_format(relaygram: Relaygram, api: Api, tmp_path: Path) -> None:
    campaign = await a_log(api)
    log = await relaygram.logs.list(campaign).all()
    seen = bytearray()
    await relaygram.logs.export_file(campaign, tmp_path / "log.csv", on_piece=seen.extend)
    await relaygram.logs.export_file(campaign, str(tmp_path / "log.ndjson"), format="ndjson")
    await relaygram.logs.export_file(campaign, tmp_path / "log.parquet", format="parquet")
    assert bytes(seen) == (tmp_path / "log.csv").read_bytes()
    with (tmp_path / "log.csv").open(newline="", encoding="utf-8-sig") as file:
        assert [int(line["id"]) for line in csv.DictReader(file)] == [one.id for one in log]
    lines = (tmp_path / "log.ndjson").read_text().split("\n")
    assert [json.loads(line)["body"] for line in lines if line] == [one.body for one in log]
    assert (tmp_path / "log.parquet").read_bytes().startswith(b"PAR1")
    assert names(tmp_path) == ["log.csv", "log.ndjson", "log.parquet"]


async def test_pieces_filters_and_compression(relaygram: Relaygram, api: Api) -> None:
    campaign = await a_log(api, 50)
    async with relaygram.logs.export(campaign, format="ndjson", status="failed") as pieces:
        plain = b"".join([piece async for piece in pieces])
    assert len(plain.splitlines()) == 10
    async with relaygram.logs.export(campaign, format="ndjson", status="failed", gzip=True) as pieces:
        assert gzip.decompress(b"".join([piece async for piece in pieces])) == plain
    with pytest.raises(ValueError, match="compressed already"):
        async with relaygram.logs.export(campaign, format="parquet", gzip=True):
            pass


async def test_what_the_api_refuses_leaves_no_file(relaygram: Relaygram, api: Api, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        await relaygram.logs.export_file(999_999, tmp_path / "log.csv")
    with pytest.raises(InvalidError) as refused:
        await relaygram.logs.export_file(await a_log(api), tmp_path / "log.csv", format="xml")  # type: ignore[arg-type]
    assert "format" in refused.value.fields
    assert names(tmp_path) == []


async def test_an_export_that_breaks_off_leaves_what_was_there(tmp_path: Path) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/csv\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nid,x\r\n\r\n"
        )
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    (tmp_path / "log.csv").write_text("the one of yesterday")
    came: list[bytes] = []
    async with server, Relaygram(url, "1|x") as relaygram:
        with pytest.raises(NoAnswerError, match="closed the connection"):
            await relaygram.logs.export_file(7, tmp_path / "log.csv", on_piece=came.append)
    assert came == [b"id,x\r\n"]
    assert names(tmp_path) == ["log.csv"]
    assert (tmp_path / "log.csv").read_text() == "the one of yesterday"


async def test_what_goes_wrong_in_the_callers_own_code_is_left_alone(relaygram: Relaygram, api: Api) -> None:
    campaign = await a_log(api)

    async def pass_on() -> None:
        async with relaygram.logs.export(campaign) as pieces:
            async for _ in pieces:
                raise httpx.ConnectError("of another server")

    with pytest.raises(httpx.ConnectError):
        await pass_on()


async def test_an_export_that_is_cancelled_leaves_nothing(relaygram: Relaygram, api: Api, tmp_path: Path) -> None:
    campaign = await a_log(api)

    def cancel(_: bytes) -> None:
        exporting.cancel()

    exporting = asyncio.ensure_future(relaygram.logs.export_file(campaign, tmp_path / "log.csv", on_piece=cancel))
    with pytest.raises(asyncio.CancelledError):
        await exporting
    assert names(tmp_path) == []
