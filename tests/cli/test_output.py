"""Tables on a narrow terminal, and where nobody looks at one."""

import re
import sys
from datetime import UTC, datetime

import pytest

from relaygram_cli.output import print_table

COLUMNS = [("id", "number"), ("name", "text"), ("nothing", "text"), ("status", "status"), ("made", "text")]
LONG = "A name that nobody should give to a campaign, " * 3
ROWS = [[1234567, LONG, None, "running", datetime(2026, 4, 21, tzinfo=UTC)]]


def test_texts_give_way_on_a_narrow_terminal_and_numbers_and_times_stay_whole(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    print_table(COLUMNS, ROWS)
    lines = re.sub(r"\x1b\[\d*m", "", capsys.readouterr().out).splitlines()  # bold is no colour
    assert all(len(line) <= 60 for line in lines)
    assert lines[0].split() == ["id", "name", "status", "made"]
    for whole in ("1234567", "running", "2026-04-21 00:00:00Z"):
        assert whole in lines[1]
    assert len(lines) > 3


def test_nothing_is_cut_or_wrapped_where_nobody_looks(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(COLUMNS, ROWS)
    _, line = capsys.readouterr().out.splitlines()
    assert LONG.strip() in line
    assert line == line.rstrip()
