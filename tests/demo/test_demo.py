"""`relaygram demo`, as a machine runs it."""

import json
import subprocess
import sys

import pytest


@pytest.mark.faults
@pytest.mark.timeout(150)
def test_the_demo_ends_with_everybody_accounted_for() -> None:
    finished = subprocess.run(
        [sys.executable, "-m", "relaygram_cli", "demo", "--contacts", "200", "--json"],
        capture_output=True,
        text=True,
        timeout=140,
        check=False,
    )

    assert finished.returncode == 0, finished.stderr[-4000:]
    result = json.loads(finished.stdout)
    assert result["contacts"] == result["sent"] + result["failed"] == 200
    assert result["lost"] == result["doubled"] == []
    assert result["rejected_lines"] == 12
    assert result["gateway_killed"] is True
    assert set(result["failures"]) == {"USER_PRIVACY_RESTRICTED", "USER_DEACTIVATED"}
    assert result["conversations"] == {
        "Anna": ["Welcome Anna! May I tell you more?"],
        "Ben": [
            "Welcome Ben! May I tell you more?",
            "Ben, did you see my message?",
            "Ben, here is what we do.",
        ],
        "Cora": ["A seat is 20 euros, Cora."],
    }
