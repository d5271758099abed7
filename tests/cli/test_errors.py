"""What goes wrong is said in a line or a few, with what to do; never a traceback."""

import asyncio
import json
import os
import sys

import pytest

from relaygram_cli.plain_text import one_line, plain
from tests.api.served import Process
from tests.api.support import Api
from tests.cli.conftest import Relaygram

NOWHERE = "http://127.0.0.1:1"


async def test_each_wrong_field_is_named(logged_in: Relaygram) -> None:
    done = await logged_in(
        "campaigns", "create", "--name", "", "--account", 1, "--text", "x", "--mode", "auto_reply", "--keyword", "",
    )  # fmt: skip
    first, *details = done.err.splitlines()
    assert (done.status, first) == (1, "relaygram: 2 things are wrong")
    assert sorted(line.split(":")[0] for line in details) == ["  name", "  trigger_keyword"]


async def test_a_token_that_lacks_an_ability_or_is_no_token(
    logged_in: Relaygram, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RELAYGRAM_API_TOKEN", await api.token_with("logs:read"))
    lacking = await logged_in("campaigns", "list")
    assert lacking.err.startswith("relaygram: This token lacks the ability campaigns:read.\n  What to do: use a token")
    monkeypatch.setenv("RELAYGRAM_API_TOKEN", "1|wrong")
    wrong = await logged_in("campaigns", "list")
    assert wrong.err.startswith("relaygram: Unauthenticated.\n  What to do: the token is not valid")
    monkeypatch.delenv("RELAYGRAM_API_TOKEN")
    nobody = await logged_in("campaigns", "list")
    assert nobody.err.startswith("relaygram: Unauthenticated.\n  What to do: log in: relaygram login")


async def test_errors_are_json_too(relaygram: Relaygram, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RELAYGRAM_API_URL", NOWHERE)
    done = await relaygram("campaigns", "list", "--json")
    error = json.loads(done.err)["error"]
    assert (done.status, done.out) == (1, "")
    assert error["message"].startswith(f"{NOWHERE} can not be reached")
    assert "relaygram doctor" in error["what_to_do"]


@pytest.mark.parametrize("url", ["nonsense", "ftp://x", "http://"])
async def test_an_address_that_is_none(relaygram: Relaygram, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("RELAYGRAM_API_URL", url)
    done = await relaygram("whoami")
    assert done.status == 1
    assert done.err.startswith(f"relaygram: '{url}' is not an address like https://")


@pytest.mark.parametrize(
    "words",
    [
        ["campaigns", "show"],
        ["campaigns", "show", "x"],
        ["campaigns", "show", "0"],
        ["campaigns", "list", "--status", "sleeping"],
        ["campaigns", "create", "--name", "x", "--account", "1"],
        ["campaigns", "create", "--name", "x", "--account", "1", "--text", "x", "--quiet-hours", "night"],
        ["campaigns", "update", "1"],
        ["campaigns", "test", "1"],
        ["campaigns", "preview", "1", "--with", "first_name"],
        ["accounts", "connect"],
        ["suppressions", "add"],
        ["logs", "tail", "1", "--last", "201"],
        ["workspace", "create", "x"],
    ],
)
async def test_wrong_usage_is_status_2_before_anything_is_asked(
    relaygram: Relaygram, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    monkeypatch.setenv("RELAYGRAM_API_URL", NOWHERE)
    done = await relaygram(*words)
    assert (done.status, done.out) == (2, "")
    assert "Usage: relaygram" in done.err


async def test_a_fault_of_our_own_is_a_line_as_well(
    logged_in: Relaygram, process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> None:
        raise LookupError("something\nunforeseen")

    monkeypatch.setattr("relaygram_cli.asking.current_login", broken)
    done = await logged_in("whoami")
    assert done.err == (
        "relaygram: LookupError: something unforeseen\n"
        "  What to do: this is a fault of relaygram: RELAYGRAM_DEBUG=1 shows where it happened\n"
    )


def test_texts_of_others_do_nothing_to_the_terminal() -> None:
    assert plain("a\x1b[31mb\x07\r\u202ec\x9b") == r"a\x1b[31mb\x07\r\u202ec\x9b"
    assert one_line("two\nlines\tand  spaces") == "two lines and spaces"
    assert plain("Grüße 👋 שלום") == "Grüße 👋 שלום"


async def test_what_the_terminal_can_not_show_ends_nothing(api: Api, process: Process) -> None:
    account = await api.account()
    await api.data("PATCH", f"/telegram-accounts/{account}", json={"name": "Grüße 👋"})
    env = {
        **os.environ, "PYTHONIOENCODING": "ascii", "RELAYGRAM_API_URL": process.url,
        "RELAYGRAM_API_TOKEN": process.token,
    }  # fmt: skip
    for words in (["accounts", "list"], ["accounts", "list", "--json"]):
        command = [sys.executable, "-m", "relaygram_cli", *words]
        running = await asyncio.create_subprocess_exec(*command, env=env, stdout=-1, stderr=-1)
        out, err = await asyncio.wait_for(running.communicate(), 60)
        assert (running.returncode, err) == (0, b"")
        assert rb"Gr\xfc\xdfe \U0001f44b" in out
