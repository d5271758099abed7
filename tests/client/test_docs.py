"""The examples of the package's README and of docs/client.md are run as they stand."""

import asyncio
import os
import re
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from relaygram_client import Relaygram
from tests.api.log_rows import row, write_log
from tests.api.served import Process
from tests.api.served_fixtures import api, process
from tests.api.support import Api

__all__ = ["api", "process"]  # fixtures

ROOT = Path(__file__).parents[2]
README = (ROOT / "libs" / "client" / "README.md").read_text(encoding="utf-8")
PAGE = (ROOT / "docs" / "client.md").read_text(encoding="utf-8")
_BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


async def test_the_readmes_program_runs(process: Process, api: Api, tmp_path: Path) -> None:
    (program,) = _BLOCK.findall(README)
    await api.account()
    env = {**os.environ, "RELAYGRAM_API_URL": process.url, "RELAYGRAM_API_TOKEN": process.token}
    running = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, env=env, cwd=tmp_path, stdout=-1, stderr=-1
    )
    out, err = await asyncio.wait_for(running.communicate(), 60)
    assert (running.returncode, err.decode()) == (0, "")
    assert out.decode().splitlines()[0] == "2 accepted, 0 rejected"


@pytest.mark.parametrize("block", _BLOCK.findall(PAGE), ids=lambda block: block.splitlines()[0][:40])
async def test_the_pages_examples_run(
    process: Process, api: Api, block: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    campaign_id = (await api.campaign())["id"]
    await write_log(api, [row(campaign_id, "sent")])
    names: dict[str, Any] = {}
    exec(f"async def example(relaygram, campaign_id):\n{textwrap.indent(block, '    ')}", names)  # noqa: S102 - ours
    async with Relaygram(process.url, process.token) as relaygram:
        await asyncio.wait_for(names["example"](relaygram, campaign_id), 30)


def test_the_page_names_every_call() -> None:
    listed = {
        noun: set(re.findall(r"`(\w+)`", calls)) for noun, calls in re.findall(r"^\| `(\w+)` \| (`.*) \|$", PAGE, re.M)
    }
    client = Relaygram("http://x")
    nouns = {name: value for name, value in vars(client).items() if not name.startswith("_")}
    public = {name: {call for call in dir(noun) if not call.startswith("_")} for name, noun in nouns.items()}
    assert listed == public
