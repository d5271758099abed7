"""docs/sandbox.md: its script works as it stands there."""

import asyncio
import os
import re
import sys
from pathlib import Path

from tests.sandbox.support import SandboxProcess

PAGE = Path(__file__).parents[2] / "docs" / "sandbox.md"


async def test_the_script_on_the_page_logs_in_sends_and_is_answered(sandbox: SandboxProcess, tmp_path: Path) -> None:
    (script,) = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    file = tmp_path / "script.py"
    file.write_text(script)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(file),
        env={**os.environ, "SANDBOX_URL": sandbox.control_url},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await asyncio.wait_for(process.communicate(), 30)
    assert output.decode().splitlines() == [
        "logged in as Ann",
        "sent message 1",
        "answer: Hello, Ann!",
        "outbound Hi, Bob!",
        "inbound Hello, Ann!",
    ]
    assert process.returncode == 0
