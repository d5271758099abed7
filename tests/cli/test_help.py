"""Help, completion, and the page docs/cli.md."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from relaygram_cli.app import app
from tests.cli.conftest import Relaygram

PAGE = (Path(__file__).parents[2] / "docs" / "cli.md").read_text(encoding="utf-8")
SLOW = (
    "httpx",
    "pydantic",
    "asyncpg",
    "nats",
    "sqlalchemy",
    "alembic",
    "relaygram_client",
    "relaygram_local_stack.stack",
)


def commands() -> Iterator[list[str]]:
    """The words of every command there is, those of other packages too."""
    group = typer.main.get_command(app)
    context = typer.Context(group, info_name="relaygram")
    for name in group.list_commands(context):  # type: ignore[attr-defined]
        command = group.get_command(context, name)  # type: ignore[attr-defined]
        inner = getattr(command, "commands", None)
        if inner:
            yield from ([name, one] for one in inner)
        else:
            yield [name]


ALL = [" ".join(words) for words in commands()]


def run(*words: str, **env: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "relaygram_cli", *words]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False, env={**os.environ, "NO_COLOR": "1", **env}
    )


@pytest.mark.parametrize("command", ALL)
def test_every_command_is_in_the_page(command: str) -> None:
    assert f"relaygram {command}" in PAGE


def test_the_page_names_no_command_that_is_not_there() -> None:
    nouns = {command.split()[0] for command in ALL}
    for line in PAGE.splitlines():
        if line.startswith("| `relaygram "):
            words = line.split("`")[1].split()[1:]
            assert words[0] in nouns, line
            assert words[0] in ALL or " ".join(words[:2]) in ALL, line


def fits(text: str) -> bool:
    return all(len(line) <= 80 for line in text.splitlines()) and "\x1b" not in text


@pytest.mark.parametrize("command", sorted({command.split()[0] for command in ALL} - {"up", "demo"}))
async def test_help_fits_a_narrow_terminal(relaygram: Relaygram, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    shown = await relaygram(command, "--help")
    assert (shown.status, shown.err) == (0, "")
    assert f"relaygram {command}" in shown.out
    assert fits(shown.out)


def test_the_first_help_fits_a_narrow_terminal() -> None:
    shown = run("--help", COLUMNS="80", TERMINAL_WIDTH="80")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert fits(shown.stdout)


def test_help_loads_nothing_slow() -> None:
    program = f"import sys, relaygram_cli.app; print([name for name in {SLOW} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_complete_commands(shell: str) -> None:
    asked = run(
        _RELAYGRAM_COMPLETE=f"complete_{shell}", COMP_WORDS="relaygram camp", COMP_CWORD="1",
        _TYPER_COMPLETE_ARGS="relaygram camp", _TYPER_COMPLETE_FISH_ACTION="get-args",
    )  # fmt: skip
    assert (asked.returncode, "campaigns" in asked.stdout) == (0, True)


def test_completion_can_be_installed() -> None:
    assert "--install-completion" in run("--help", COLUMNS="100").stdout
