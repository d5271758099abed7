"""docs/limits.md explains every code and every wait that there is."""

import re
from pathlib import Path

from relaygram_telegram_gateway.core.limits import WARM_UP_PER_HOUR
from relaygram_telegram_gateway.core.telegram_errors import RESTRICTED_SECONDS, RULES
from relaygram_telegram_gateway.settings import GatewaySettings

PAGE = (Path(__file__).parents[2] / "docs" / "limits.md").read_text(encoding="utf-8")


def test_every_code_is_explained() -> None:
    codes = set(re.findall(r"`([A-Z_]+)`", PAGE.split("## Errors of messages")[1]))
    assert codes == {rule.code for rule in RULES.values() if rule.code}


def test_every_wait_is_explained_with_its_figures() -> None:
    waits = set(re.findall(r"`([a-z_]+)`", "".join(re.findall(r"^\| (`.*?) \|", PAGE, flags=re.MULTILINE))))
    assert {"flood_wait", "peer_flood", "restricted", "hourly_limit", "daily_limit", "warm_up", "connection"} <= waits
    defaults = {name: field.default for name, field in GatewaySettings.model_fields.items()}
    assert (defaults["peer_flood_first_seconds"], defaults["peer_flood_cap_seconds"]) == (3600, 24 * 3600)
    assert f"at most {WARM_UP_PER_HOUR} messages an hour" in PAGE
    assert f"{RESTRICTED_SECONDS / 3600:.0f} hours, then it is tried again" in PAGE
