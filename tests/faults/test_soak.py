"""Everything at once: errors, lost connections, flood waits and kill -9 of random parts, over and over.

`make soak` runs it with more people and any seed: RELAYGRAM_SOAK_PEOPLE, RELAYGRAM_SOAK_SEED.
"""

import os
import sys
from pathlib import Path

import pytest

from tests.support.soak import EXPLAINED, STACK_ARGUMENTS, STACK_SETTINGS, soak
from tests.support.stack import running_stack

_PEOPLE = int(os.environ.get("RELAYGRAM_SOAK_PEOPLE", "5000"))
_SEED = int(os.environ.get("RELAYGRAM_SOAK_SEED", "20261121"))

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300 + _PEOPLE // 10)]


async def test_a_soak_loses_nothing_doubles_nothing_and_keeps_the_rate(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with running_stack(tmp_path, STACK_SETTINGS, *STACK_ARGUMENTS) as stack:
        report = await soak(stack, people=_PEOPLE, seed=_SEED, most_kills=_PEOPLE // 400)

    with capsys.disabled():
        sys.stdout.write(f"\n{report.line}\n")
    assert {name: (verdict.lost, verdict.doubled) for name, verdict in report.verdicts.items()} == {
        name: ((), ()) for name in report.verdicts
    }
    assert report.failures.keys() <= EXPLAINED, report.failures
    assert report.written_to_after_reply == []
    assert set(report.answers.values()) == {1}  # each question has one answer
    assert max(report.rates) <= report.rate_limit
    assert report.refused.keys() >= {"RPC_CALL_FAIL", "FLOOD_WAIT_2"}  # it was not spared
    assert sum(report.kills.values()) >= 3
