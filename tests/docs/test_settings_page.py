"""docs/settings.md names every setting of every service, and none that there is not."""

import re
from pathlib import Path

import pytest

from relaygram_api.settings import ApiSettings
from relaygram_common.settings import ServiceSettings
from relaygram_dispatcher.settings import DispatcherSettings
from relaygram_log_writer.settings import LogWriterSettings
from relaygram_telegram_gateway.settings import GatewaySettings

PAGE = Path(__file__).parents[2] / "docs" / "settings.md"
SECTIONS: dict[str, type[ServiceSettings]] = {
    "All services": ServiceSettings,
    "api": ApiSettings,
    "dispatcher": DispatcherSettings,
    "telegram-gateway": GatewaySettings,
    "log-writer": LogWriterSettings,
}


@pytest.mark.parametrize("title", SECTIONS)
def test_each_section_names_the_settings_of_its_service(title: str) -> None:
    section = PAGE.read_text(encoding="utf-8").split(f"\n## {title}\n")[1].split("\n## ")[0]
    shared = set() if title == "All services" else set(ServiceSettings.model_fields)

    named = set(re.findall(r"`(RELAYGRAM_[A-Z_]+)`", section))

    assert named == {f"RELAYGRAM_{field.upper()}" for field in set(SECTIONS[title].model_fields) - shared}
