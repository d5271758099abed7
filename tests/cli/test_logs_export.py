"""A log as a file, from the terminal."""

import asyncio
import gzip
import json
import os
import sys
from pathlib import Path

import pytest

from relaygram_cli.export_progress import counter_of
from tests.api.log_rows import row, write_log
from tests.api.served import Process
from tests.api.support import Api
from tests.cli.conftest import Relaygram
from tests.cli.terminal import Terminal


async def a_log(api: Api, rows: int = 4) -> int:
    campaign: int = (await api.campaign())["id"]
    states = ["failed" if number % 4 == 3 else "sent" for number in range(rows)]
    await write_log(api, [row(campaign, state, body=f'A "text"\n{n}, end') for n, state in enumerate(states)])
    return campaign


async def test_a_file_and_how_much_is_in_it(logged_in: Relaygram, api: Api, tmp_path: Path) -> None:
    campaign, file = await a_log(api), tmp_path / "log.csv"
    done = await logged_in("logs", "export", campaign, "--output", file)
    assert (done.status, done.out) == (0, "")
    assert done.err == f"{file}: 4 messages, {file.stat().st_size} bytes\n"
    done = await logged_in("logs", "export", campaign, "-o", file, "--format", "ndjson", "--status", "failed")
    assert done.err == f"{file}: 1 message, {file.stat().st_size} bytes\n"
    assert json.loads(file.read_text())["status"] == "failed"
    assert (await logged_in("logs", "export", campaign, "-o", file, "--format", "parquet")).status == 0
    assert file.read_bytes().startswith(b"PAR1")


async def test_standard_output_has_the_file_and_nothing_else(process: Process, api: Api) -> None:
    campaign = await a_log(api)
    env = {**os.environ, "RELAYGRAM_API_URL": process.url, "RELAYGRAM_API_TOKEN": process.token}
    command = [sys.executable, "-m", "relaygram_cli", "logs", "export", str(campaign), "-o", "-", "--format", "ndjson"]
    outputs = []
    for words in ([], ["--gzip"]):
        running = await asyncio.create_subprocess_exec(*command, *words, env=env, stdout=-1, stderr=-1)
        out, err = await asyncio.wait_for(running.communicate(), 60)
        assert (running.returncode, err) == (0, b"")
        outputs.append(out)
    assert len([json.loads(line) for line in outputs[0].splitlines()]) == 4
    assert gzip.decompress(outputs[1]) == outputs[0]


async def test_a_bar_is_shown_where_somebody_looks(process: Process, api: Api, tmp_path: Path) -> None:
    campaign, file = await a_log(api, 300), tmp_path / "log.csv"
    with Terminal(process, "logs", "export", str(campaign), "-o", str(file)) as terminal:
        assert await asyncio.to_thread(terminal.wait) == 0
    assert b"300 messages, " in terminal.shown
    assert "━".encode() in terminal.shown
    assert os.fsencode(file) in terminal.shown.replace(b"\r\n", b"")


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["--output", "/nowhere/log.csv"], 1, "there is no folder /nowhere"),
        (["--output", "/"], 1, "it is a folder"),
        (["--output", "log", "--format", "xlsx"], 2, "'xlsx' is not one of"),
        (["--output", "log", "--format", "parquet", "--gzip"], 2, "a parquet file is compressed already"),
        (["--output", "log", "--since", "yesterday"], 1, "since: "),
        ([], 2, "Missing option"),
    ],
)
async def test_what_is_wrong_is_said_and_leaves_no_file(
    logged_in: Relaygram,
    api: Api,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    status: int,
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    done = await logged_in("logs", "export", await a_log(api), *words)
    assert (done.status, done.out) == (status, "")
    assert said in done.err
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_rows_are_counted_in_pieces_that_are_cut_anywhere(size: int) -> None:
    table = b'id,body\r\n1,"a ""b""\r\nc"\r\n2,"\n\n"\r\n3,plain\r\n'
    for output_format, whole, rows in (("csv", table, 3), ("ndjson", b'{"a": "b\\n"}\n{}\n', 2)):
        counter = counter_of(output_format)
        assert counter is not None
        for begin in range(0, len(whole), size):
            counter.feed(whole[begin : begin + size])
        assert counter.rows == rows
