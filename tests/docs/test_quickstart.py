"""Who types what docs/quickstart.md says gets what it promises."""

import asyncio
import json
import re
import subprocess
from pathlib import Path

from tests.support.stack import running_stack

PAGE = Path(__file__).parents[2] / "docs" / "quickstart.md"
_SECONDS = 60


def _script(values: dict[str, str]) -> str:
    """The page's commands one after another, with what the reader's own `make up` printed."""
    script = "\n".join(re.findall(r"^```sh\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL))
    for name, value in values.items():
        script, count = re.subn(rf"^{name}=\S+", f"{name}={value}", script, count=1, flags=re.MULTILINE)
        assert count == 1, f"the page does not set {name}"
    return script


async def test_the_quickstart_leads_to_a_completed_broadcast(tmp_path: Path) -> None:
    async with running_stack(tmp_path, {}) as stack:
        password = json.loads((tmp_path / "data" / "credentials.json").read_text())["password"]
        script = _script(
            {"API": f"{stack.info['api_url']}/api/v1", "SANDBOX": stack.info["sandbox_url"], "PASSWORD": password}
        )
        command = ["bash", "-euo", "pipefail", "-c", script]
        ran = await asyncio.to_thread(
            subprocess.run, command, capture_output=True, text=True, timeout=_SECONDS, check=False
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr

        rows = (await stack.sandbox.get("/messages", params={"limit": 100})).json()
    assert sorted(row["text"] for row in rows if row["direction"] == "outbound" and "shop" in row["text"]) == [
        "Hello Ada, our shop in London opens at nine.",
        "Hello Grace, our shop in New York opens at nine.",
    ]
    report = next(json.loads(line) for line in ran.stdout.splitlines() if '"received"' in line)["data"]
    assert (report["received"], report["accepted"], report["duplicates"], report["rejected"]) == (4, 2, 1, 1)
    log = next(json.loads(line) for line in ran.stdout.splitlines() if '"telegram_message_id"' in line)["data"]
    assert [row["status"] for row in log] == ["sent", "sent"]
