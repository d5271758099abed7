"""`python -m relaygram_telegram_gateway`."""

import gc

from relaygram_common.settings import load_settings
from relaygram_telegram_gateway.settings import GatewaySettings

if __name__ == "__main__":
    settings = load_settings(GatewaySettings)  # what is wrong there is told at once
    gc.disable()  # nothing that is loaded is garbage; to look for some took a sixth of the start
    from relaygram_common.runner import run_service
    from relaygram_telegram_gateway.app import build

    raise SystemExit(run_service("telegram-gateway", settings, build))
