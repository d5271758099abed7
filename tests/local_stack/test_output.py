"""Log lines bear the part's name, in colour on a terminal only."""

import io

import pytest

from relaygram_local_stack.output import StreamOutput


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_one_colour_a_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    terminal = Terminal()
    output = StreamOutput(terminal)
    for name in ("api", "nats", "api"):
        output.line(name, "text")
    first, second, third = terminal.getvalue().splitlines()
    assert first == third
    assert first.startswith("\x1b[")
    assert first.split("m")[0] != second.split("m")[0]


def test_no_colour_where_none_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    terminal = Terminal()
    StreamOutput(terminal).note("text")
    assert terminal.getvalue() == "relaygram          | text\n"


def test_a_stream_that_is_gone_harms_nobody() -> None:
    closed = io.StringIO()
    output = StreamOutput(closed)
    closed.close()
    output.line("api", "text")
