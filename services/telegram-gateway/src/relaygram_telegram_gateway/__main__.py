"""`python -m relaygram_telegram_gateway`."""

import gc

if __name__ == "__main__":
    gc.disable()  # nothing that is loaded is garbage; to look for some took a sixth of the start
    from relaygram_common.runner import run_service
    from relaygram_common.settings import load_settings
    from relaygram_telegram_gateway.app import build
    from relaygram_telegram_gateway.settings import GatewaySettings

    raise SystemExit(run_service("telegram-gateway", load_settings(GatewaySettings), build))
