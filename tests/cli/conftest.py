"""The command in this process, against an api on a port.

fixture    gives
---------  -------------------------------------------------------------------------------------------
api        tests.api.support.Api, as in tests/api, to make data with
process    tests.api.served.Process: the same api on a port: .url, .token, .password
relaygram  `await relaygram("campaigns", "list", stdin="")` → Done(status, out, err); logged in nowhere
logged_in  the same with the address and a token of `process` in the environment
"""

import asyncio
import io
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from relaygram_cli.__main__ import main
from tests.api.served import Process
from tests.api.served_fixtures import api, process

__all__ = ["api", "process"]


class Done(NamedTuple):
    status: int
    out: str
    err: str


Relaygram = Callable[..., Awaitable[Done]]


@pytest.fixture
def relaygram(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Relaygram:
    """The command: starting Python for each would take most of the time."""
    for name in os.environ:
        if name.startswith("RELAYGRAM_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home" / ".config"))

    def run(words: tuple[Any, ...], stdin: str) -> int:
        monkeypatch.setattr(sys, "argv", ["relaygram", *(str(word) for word in words)])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        with pytest.raises(SystemExit) as end:
            main()
        return int(end.value.code or 0)

    async def run_in_thread(*words: Any, stdin: str = "") -> Done:
        capsys.readouterr()  # what services of the test's own have logged until now
        status = await asyncio.to_thread(run, words, stdin)
        return Done(status, *capsys.readouterr())

    return run_in_thread


@pytest.fixture
def logged_in(relaygram: Relaygram, process: Process, monkeypatch: pytest.MonkeyPatch) -> Relaygram:
    """The command of somebody who may do everything."""
    monkeypatch.setenv("RELAYGRAM_API_URL", process.url)
    monkeypatch.setenv("RELAYGRAM_API_TOKEN", process.token)
    return relaygram
